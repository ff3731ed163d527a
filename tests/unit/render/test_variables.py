"""A person's data is completed: own over shared over default, optional ones null, required ones there."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerd.core.variables import Variable, VariableType
from pagerd.render.errors import RenderFailed
from pagerd.render.variables import Completion, fits, inferred

VARIABLES = [
    Variable(name="name", required=True),
    Variable(name="shop", default="Teapot"),
    Variable(name="city"),
    Variable(name="rows", default=[{"a": None}]),
]


def test_own_wins_over_shared_over_default() -> None:
    assert Completion(VARIABLES, {}).complete({"name": "Ada"})["shop"] == "Teapot"
    assert Completion(VARIABLES, {"shop": "S"}).complete({"name": "Ada"})["shop"] == "S"
    assert Completion(VARIABLES, {"shop": "S"}).complete({"name": "Ada", "shop": "O"})["shop"] == "O"


def test_an_optional_one_that_nobody_gave_is_null() -> None:
    data = Completion(VARIABLES, {}).complete({"name": "Ada"})
    assert data["city"] is None
    assert data._nulls


def test_a_required_one_may_be_shared() -> None:
    assert Completion(VARIABLES, {"name": "all of you"}).complete({})["name"] == "all of you"


def test_every_missing_one_is_named() -> None:
    variables = [Variable(name=name, required=True) for name in ("b", "a")]
    with pytest.raises(RenderFailed) as failed:
        Completion(variables, {}).complete({"c": 1})
    assert failed.value.code == "missing_variable"
    assert "a, b" in failed.value.detail


def test_data_without_a_bottom_is_refused() -> None:
    deep: list[object] = []
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(RenderFailed) as failed:
        Completion(VARIABLES, {}).complete({"name": deep})
    assert failed.value.code == "data_too_deep"


def test_people_do_not_share_what_they_were_given() -> None:
    completion = Completion(VARIABLES, {})
    first = completion.complete({"name": "Ada", "city": "Rome"})
    second = completion.complete({"name": "Grace"})
    assert (first["city"], second["city"]) == ("Rome", None)


def test_nulls_inside_what_is_shared_are_known() -> None:
    assert Completion(VARIABLES, {}).complete({"name": "Ada", "city": "x"})._nulls
    given_ = {"name": "Ada", "city": "x", "rows": [], "shop": "s"}
    assert not Completion(VARIABLES[:3], {}).complete(given_)._nulls
    assert Completion(VARIABLES[:3], {"more": {"deep": [None]}}).complete(given_)._nulls


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (VariableType.ANY, [None, 1, "x", [], {}], []),
        (VariableType.STRING, ["", "x"], [None, 1, []]),
        (VariableType.INTEGER, [0, -5, 10**30], [True, 1.0, "1", None]),
        (VariableType.NUMBER, [0, 1.5], [True, "1", None]),
        (VariableType.BOOLEAN, [True, False], [0, 1, "true", None]),
        (VariableType.DATE, ["2026-02-28", "2024-02-29"], ["2026-02-29", "20260228", "2026-W01-1", "", 5, None]),
        (
            VariableType.DATETIME,
            ["2026-02-28T10:00:00Z", "2026-02-28t10:00:00.25z", "2026-02-28 10:00:00+02:00"],
            ["2026-02-28", "2026-02-28T10:00:00", "2026-02-28T25:00:00Z", "2026-02-30T10:00:00Z", 5, None],
        ),
        (VariableType.LIST, [[], [1]], [(), {}, "x", None]),
        (VariableType.OBJECT, [{}, {"a": 1}], [[], "x", None]),
    ],
)
def test_types(kind: VariableType, right: list[object], wrong: list[object]) -> None:
    assert [value for value in right if not fits(kind, value)] == []
    assert [value for value in wrong if fits(kind, value)] == []


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=3), st.lists, max_leaves=5))
def test_a_value_is_of_one_json_type_at_most(value: object) -> None:
    kinds = {VariableType.BOOLEAN, VariableType.NUMBER, VariableType.STRING, VariableType.LIST, VariableType.OBJECT}
    assert sum(fits(kind, value) for kind in kinds) == (value is not None)


def test_without_declarations_everything_used_is_required() -> None:
    assert inferred({"b", "a"}) == (Variable(name="a", required=True), Variable(name="b", required=True))
    assert inferred(set()) == ()
    assert msgspec.UNSET is inferred({"a"})[0].default
