"""People's data against declared variables."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerd.audience.kinds import FROM_TEXT, Unfit
from pagerd.audience.variables import Coercer
from pagerd.core.variables import Variable
from pagerd.core.variables import VariableType as T


def one(kind: T, value: Any) -> Any:
    """Return what becomes of a value, twice: as a stranger and as a known shape."""
    coercer = Coercer([Variable(name="x", type=kind)])
    results = [coercer.from_json({"x": value}) for _ in range(3)]
    assert results[0] == results[1] == results[2]
    data, problems = results[0]
    return [p.detail for p in problems] or data.get("x", "absent")


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (T.ANY, "text"),
        (T.ANY, 1),
        (T.ANY, [1, {"a": None}]),
        (T.STRING, ""),
        (T.STRING, "Ada"),
        (T.INTEGER, 0),
        (T.INTEGER, -(2**63)),
        (T.INTEGER, 2**64 - 1),
        (T.NUMBER, 12),
        (T.NUMBER, 12.5),
        (T.BOOLEAN, False),
        (T.DATE, "2026-11-30"),
        (T.DATETIME, "2026-11-30T09:00:00Z"),
        (T.DATETIME, "2026-11-30t09:00:00.123456789+01:00"),
        (T.LIST, []),
        (T.LIST, ["a", 1, None]),
        (T.OBJECT, {"a": {"b": []}}),
    ],
)
def test_values_that_fit_stay_as_they_are(kind: T, value: Any) -> None:
    found = one(kind, value)
    assert found == value
    assert type(found) is type(value)


def test_a_whole_float_is_an_integer() -> None:
    assert one(T.INTEGER, 12.0) == 12
    assert type(one(T.INTEGER, 12.0)) is int


def test_null_is_absent() -> None:
    assert one(T.STRING, None) == "absent"
    _, problems = Coercer([Variable(name="x", required=True)]).from_json({"x": None})
    assert [p.code for p in problems] == ["variable_missing"]


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        (T.STRING, 1, "must be text, not a number"),
        (T.INTEGER, "12", "must be a whole number, not text"),
        (T.INTEGER, 12.5, "must be a whole number"),
        (T.INTEGER, True, "not true or false"),
        (T.INTEGER, 2**64, "64 bits"),
        (T.INTEGER, 1e300, "64 bits"),
        (T.NUMBER, False, "must be a number"),
        (T.NUMBER, float("nan"), "can't be carried"),
        (T.NUMBER, float("inf"), "can't be carried"),
        (T.BOOLEAN, 1, "must be true or false"),
        (T.BOOLEAN, "true", "must be true or false"),
        (T.DATE, "2026-02-30", "2026-11-30"),
        (T.DATE, "20261130", "2026-11-30"),
        (T.DATE, "2026-W01-1", "2026-11-30"),
        (T.DATETIME, "2026-11-30T09:00:00", "offset"),
        (T.DATETIME, "2026-11-30T25:00:00Z", "offset"),
        (T.LIST, "a", "must be a list"),
        (T.OBJECT, [], "must be an object"),
        (T.ANY, [[2**70]], "can't be carried"),
        (T.ANY, "a\ud800", "can't be carried"),
        (T.ANY, "a\0", "can't be carried"),
        (T.OBJECT, {"a\0": 1}, "can't be carried"),
    ],
)
def test_values_that_do_not_fit(kind: T, value: Any, says: str) -> None:
    coercer = Coercer([Variable(name="x", type=kind)])
    _, problems = coercer.look_closely({"x": value})
    assert [p.code for p in problems] == ["variable_type"]
    assert problems[0].path == ("data", "x")
    assert says in problems[0].detail


def test_a_known_shape_is_still_looked_at_where_its_type_does_not_say_all() -> None:
    coercer = Coercer([Variable(name="n", type=T.INTEGER), Variable(name="d", type=T.DATE), Variable(name="o")])
    good = {"n": 1, "d": "2026-11-30", "o": [1]}
    assert coercer.from_json(good) == (good, [])
    assert coercer.from_json(good)[0] is good
    for wrong in ({"n": 2**70}, {"d": "tomorrow"}, {"o": [2**70]}):
        _, problems = coercer.from_json(good | wrong)
        assert [p.path[-1] for p in problems] == list(wrong)


def test_nesting_has_an_end() -> None:
    deep: Any = 1
    for _ in range(16):
        deep = [deep]
    assert one(T.ANY, deep) == deep
    assert "nested deeper" in one(T.ANY, [deep])[0]


def test_unknown_and_missing_variables_name_each_other() -> None:
    coercer = Coercer([Variable(name="name", required=True), Variable(name="city")])
    _, problems = coercer.from_json({"nmae": "Ada", "zzz": 1})
    assert [(p.code, p.path) for p in problems] == [
        ("variable_unknown", ("data", "nmae")),
        ("variable_unknown", ("data", "zzz")),
        ("variable_missing", ("data", "name")),
    ]
    assert "did you mean 'name'?" in problems[0].detail
    assert "did you mean" not in problems[1].detail
    assert '"nmae" was given' in problems[2].detail


def test_a_wrong_value_is_not_also_missing() -> None:
    _, problems = Coercer([Variable(name="total", required=True, type=T.NUMBER)]).from_json({"total": "x"})
    assert [p.code for p in problems] == ["variable_type"]


def test_what_the_session_gives_is_not_required_of_people() -> None:
    coercer = Coercer([Variable(name="shop", required=True), Variable(name="name", required=True)], shared={"shop"})
    assert coercer.from_json({"name": "Ada"}) == ({"name": "Ada"}, [])
    assert coercer.from_json({"name": "Ada", "shop": "own"})[1] == []
    assert coercer.required == ("name",)


def test_optional_variables_and_those_with_a_default_may_be_absent() -> None:
    coercer = Coercer([Variable(name="a"), Variable(name="b", default=1)])
    assert coercer.from_json({}) == ({}, [])


def test_many_shapes_do_not_pile_up() -> None:
    names = [f"v{n}" for n in range(12)]
    coercer = Coercer([Variable(name=name) for name in names])
    for shape in range(4096):
        data = {name: 1 for place, name in enumerate(names) if shape >> place & 1}
        assert coercer.from_json(data) == (data, [])
    assert len(coercer._good) <= 256


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (T.INTEGER, "12", 12),
        (T.INTEGER, " -7 ", -7),
        (T.INTEGER, "12.00", 12),
        (T.NUMBER, "12", 12),
        (T.NUMBER, "12.50", 12.5),
        (T.NUMBER, "+.5", 0.5),
        (T.NUMBER, "1e3", 1000.0),
        (T.BOOLEAN, "TRUE", True),
        (T.BOOLEAN, "no", False),
        (T.BOOLEAN, "1", True),
        (T.DATE, " 2026-11-30", "2026-11-30"),
        (T.DATETIME, "2026-11-30 09:00:00+01:00", "2026-11-30 09:00:00+01:00"),
        (T.LIST, '["a", 1]', ["a", 1]),
        (T.OBJECT, '{"a": 1}', {"a": 1}),
    ],
)
def test_cells_become_what_is_declared(kind: T, text: str, value: Any) -> None:
    found = FROM_TEXT[kind](text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (T.INTEGER, "12.5", "whole number"),
        (T.INTEGER, "1_000", "whole number"),
        (T.INTEGER, "١٢", "whole number"),
        (T.INTEGER, "99999999999999999999", "64 bits"),
        (T.INTEGER, "9" * 60_000, "whole number"),
        (T.NUMBER, "12,50", "with a point"),
        (T.NUMBER, "nan", "number"),
        (T.NUMBER, "1e999", "usual size"),
        (T.NUMBER, "1" * 60_000, "number"),
        (T.BOOLEAN, "maybe", "yes or no"),
        (T.DATE, "30.11.2026", "2026-11-30"),
        (T.DATETIME, "2026-11-30", "offset"),
        (T.LIST, "a, b", "JSON"),
        (T.LIST, "{}", "JSON"),
        (T.LIST, "[" * 100_000, "JSON"),
        (T.LIST, "[99999999999999999999999]", "JSON"),
        (T.OBJECT, "[]", "JSON"),
    ],
)
def test_cells_that_do_not_fit(kind: T, text: str, says: str) -> None:
    with pytest.raises(Unfit, match=says) as unfit:
        FROM_TEXT[kind](text)
    assert len(str(unfit.value)) < 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), JSON), max_size=6), st.data())
def test_whatever_passes_can_be_carried(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    kinds = [data.draw(st.sampled_from(list(T))) for _ in range(3)]
    coercer = Coercer([Variable(name=name, type=kind) for name, kind in zip("abc", kinds, strict=True)])
    for row in rows:
        taken, problems = coercer.look_closely(row)
        if not problems:
            assert msgspec.msgpack.decode(msgspec.msgpack.encode(taken)) == taken
            assert coercer.from_json(row) == (taken, [])
