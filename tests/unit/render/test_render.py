"""What a compiled variant makes of a person's data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pagerd.core.templates import Parts, TemplateDraft
from pagerd.core.variables import Variable
from pagerd.render.compile import compile_template
from pagerd.render.errors import RenderFailed
from pagerd.render.limits import OUTPUT_CHARS

Render = Callable[..., Parts]
NASTY = "<b>&\"'</b> {{ 7 * 7 }}"


def test_html_is_escaped_and_text_and_subject_are_not(render: Render) -> None:
    parts = render("{{ x }}", "<p>{{ x }}</p>", "{{ x }}", data={"x": NASTY})
    assert parts.subject == NASTY
    assert parts.text == NASTY
    assert parts.html is not None
    assert "<b>" not in parts.html
    assert parts.html.startswith("<p>&lt;b&gt;&amp;&quot;&#x27;")


def test_data_is_never_taken_for_a_template(render: Render) -> None:
    assert "49" not in str(render("{{ x }}", "{{ x }}", data={"x": NASTY}))


def test_text_alone(render: Render) -> None:
    assert render("s", None, "only text") == Parts(subject="s", text="only text", html=None)


def test_conditions_loops_and_filters(render: Render) -> None:
    text = (
        "{% for item in items %}\n- {{ item.name|title }}{{ ' (gift)' if item.gift }}\n"
        "{% else %}\nnothing\n{% endfor %}\n"
        "{{ '%.2f'|format(total) }} {{ when|date('%d.%m.%Y') }}"
    )
    data: dict[str, Any] = {"items": [{"name": "tea pot", "gift": True}, {"name": "cup", "gift": False}]}
    parts = render("s", None, text, data=data | {"total": 12.5, "when": "2026-03-01"})
    assert parts.text == "- Tea Pot (gift)\n- Cup\n12.50 01.03.2026"
    assert render("s", None, text, data={"items": [], "total": 0, "when": "2026-03-01T09:30:00Z"}).text == (
        "nothing\n0.00 01.03.2026"
    )


@pytest.mark.parametrize(
    ("source", "data", "code", "words"),
    [
        ("a\n{{ user.nam }}", {"user": {"name": 1}}, "undefined_variable", "line 2: `user.nam` is undefined"),
        ("{{ user.a.b }}", {"user": {}}, "undefined_variable", "user.a"),
        (
            "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
            {},
            "fuel_exhausted",
            "fuel",
        ),
        ("{% for i in range(60000) %}" + "x" * 100 + "{% endfor %}", {}, "output_too_large", str(OUTPUT_CHARS)),
        ("{{ x|date }}", {"x": "yesterday"}, "filter_error", "yesterday"),
        ("{{ x|date }}", {"x": 5}, "filter_error", "5"),
        ("{{ [1]|map('nonsense')|list }}", {}, "filter_error", "filter"),
        ("{{ x + 1 }}", {"x": "a"}, "template_error", "+"),
        ("{{ x.foo() }}", {"x": "a"}, "template_error", "foo"),
        ("{{ x.get(1, 2, 3) }}", {"x": {}}, "filter_error", "get"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", {}, "template_error", "recursion"),
    ],
)
def test_failures_say_why_and_where(render: Render, source: str, data: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(RenderFailed) as failed:
        render("s", None, source, data=data)
    assert failed.value.code == code
    assert words in failed.value.detail
    assert failed.value.detail.startswith("email.en")
    (fault,) = failed.value.faults
    assert fault.variant == "email.en"


def test_a_failure_in_html_and_its_derived_text_names_html(render: Render) -> None:
    with pytest.raises(RenderFailed) as failed:
        render("s", "<p>\n{{ a.b }}</p>", data={"a": {}})
    assert (failed.value.faults[0].part, failed.value.faults[0].line) == ("html", 2)


@pytest.mark.parametrize("null", [{"city": None}, {}])
def test_a_null_is_nothing_and_not_the_word_none(draft: Callable[..., TemplateDraft], null: dict[str, Any]) -> None:
    source = "[{{ city }}]{% if city is none %}-{% endif %}{{ city|default('x', true) }}"
    compiled = compile_template(
        draft("[{{ city }}]", source, variables=[Variable(name="city"), Variable(name="rows", default=[])])
    )
    parts = compiled.variants[0].render(compiled.complete({}, null))
    assert parts == Parts(subject="[]", text="[]-x", html="[]-x")
    assert compiled.variants[0].render(compiled.complete({}, {"city": "<Rom>"})).html == "[&lt;Rom&gt;]&lt;Rom&gt;"


def test_a_null_deep_inside_is_nothing_too(render: Render) -> None:
    text = "{% for row in rows %}[{{ row.a }}|{{ row.b|upper }}]{% endfor %}"
    assert render("s", None, text, data={"rows": [{"a": None, "b": "x"}, {"a": 2, "b": "y"}]}).text == "[|X][2|Y]"


def test_an_undefined_name_is_an_error_also_where_nulls_are_about(render: Render) -> None:
    with pytest.raises(RenderFailed) as failed:
        render("s", None, "{{ a }}{{ b.c }}", data={"a": None, "b": {}})
    assert failed.value.code == "undefined_variable"


@pytest.mark.parametrize("name", ["self", "template_name", "name", "context", "args", "kwargs", "source"])
def test_any_name_can_be_data(render: Render, name: str) -> None:
    if name != "self":
        assert render("s", None, "{{ " + name + " }}", data={name: "v"}).text == "v"
    assert render("s", None, "t", data={name: "v"}).text == "t"


def test_big_numbers_and_truth(render: Render) -> None:
    data = {"n": 12345678901234567890123, "f": 0.1, "t": True, "z": 0}
    assert render("s", None, "{{ n }} {{ f }} {{ t }} {{ z }}", data=data).text == "12345678901234567890123 0.1 True 0"


def test_a_compiled_template_is_used_again_and_again(draft: Callable[..., TemplateDraft]) -> None:
    compiled = compile_template(draft("{{ n }}", "<p>{{ n }}</p>", "{{ n }}"))
    variant = compiled.variants[0]
    completion = compiled.completion({})
    for number in range(50):
        assert variant.render(completion.complete({"n": number})).subject == str(number)
    assert variant.skeleton("a@b.example") is variant.skeleton("a@b.example")
    assert variant.skeleton("a@b.example") is not variant.skeleton("a@b.example", "c@d.example")
