"""A template can read a person's data, and neither change nor call it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pagerd.core.templates import Parts, TemplateDraft
from pagerd.core.variables import Variable
from pagerd.render.compile import compile_template
from pagerd.render.errors import RenderFailed
from pagerd.render.values import facts, rows

LOG = [Variable(name="log", type="list"), Variable(name="name", required=True)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        "{% if log.append(name) %}{% endif %}",
        "{% set f = log.append %}{{ f(name) }}",
        "{{ log['append'](name) }}",
        "{{ (log|attr('append'))(name) }}",
        "{{ log.extend([name]) }}",
        "{{ log.insert(0, name) }}",
        "{{ log.clear() }}",
        "{{ log[0].update({'x': name}) }}",
        "{{ log[0].setdefault('x', name) }}",
        "{{ log[0].pop('a') }}",
    ],
)
@pytest.mark.parametrize("where", ["shared", "default", "own"])
def test_one_person_never_writes_into_what_the_next_is_shown(
    draft: Callable[..., TemplateDraft], change: str, where: str
) -> None:
    data: list[Any] = [{"a": 1}]
    variables = [Variable(name="log", default=data) if where == "default" else LOG[0], LOG[1]]
    compiled = compile_template(draft("s", text=change + "{{ log|tojson }}", variables=variables))
    shared = {"log": data} if where == "shared" else {}
    completion = compiled.completion(shared)
    for name in ("Ada", "Grace"):
        own = {"name": name} | ({"log": data} if where == "own" else {})
        with pytest.raises(RenderFailed):
            compiled.variants[0].render(completion.complete(own))
    assert data == [{"a": 1}]


@pytest.mark.parametrize(
    "missing", ["order.update", "order.copy", "order.rows.count", "order.rows.sort", "order.nulls"]
)
def test_a_missing_key_is_an_error_and_not_a_method(render: Callable[..., Parts], missing: str) -> None:
    with pytest.raises(RenderFailed) as failed:
        render("s", None, "{{ " + missing + " }}", data={"order": {"id": 1, "rows": []}})
    assert failed.value.code == "undefined_variable"
    assert missing in failed.value.detail


def test_what_reads_still_works(render: Callable[..., Parts]) -> None:
    text = (
        "{% for k, v in order.items() %}{{ k }}={{ v }};{% endfor %}"
        "{% for k, v in order|dictsort %}{{ k }}{% endfor %}"
        "{{ order.get('id') }}{{ order['id'] }}{{ order|length }}"
        "{{ rows|join('+') }}{{ rows[0] }}{{ rows[1:]|list|length }}{{ rows is sequence }}{{ order is mapping }}"
    )
    parts = render("s", None, text, data={"order": {"id": 7, "by": "x"}, "rows": [1, 2, 3]})
    assert parts.text == "id=7;by=x;byid772" + "1+2+3" + "1" + "2" + "TrueTrue"


def test_the_data_itself_stays_as_it_was() -> None:
    data = {"a": [{"b": [1, None]}], "c": None}
    guarded = facts(data)
    assert guarded == data
    assert type(data["a"]) is list
    assert type(data["a"][0]) is dict
    assert type(guarded["a"][0]["b"]) is not list


@pytest.mark.parametrize(
    ("data", "nulls"),
    [
        ({}, False),
        ({"a": 1, "b": [1, {"c": 2}]}, False),
        ({"a": None}, True),
        ({"a": [None]}, True),
        ({"a": {"b": [{"c": None}]}}, True),
    ],
)
def test_nulls_are_known(data: dict[str, Any], nulls: bool) -> None:
    assert facts(data)._nulls is nulls
    assert rows([data])._nulls is nulls
