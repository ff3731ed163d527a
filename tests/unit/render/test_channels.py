"""Templates of short messages and records: their parts, their escaping, their faults."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagerd.core.errors import Fault, Invalid
from pagerd.core.policy import Channel
from pagerd.core.templates import Record, TemplateDraft
from pagerd.render.compile import compile_template
from pagerd.render.compiled import CompiledTemplate
from pagerd.render.errors import RenderFailed
from pagerd.render.preview import preview


def compiled(channel: str, **fields: Any) -> CompiledTemplate:
    return compile_template(msgspec.convert({"variants": [{"channel": channel} | fields]}, TemplateDraft))


def faults(channel: str, **fields: Any) -> list[Fault]:
    with pytest.raises(Invalid) as refused:
        compiled(channel, **fields)
    return list(refused.value.faults)


def text(source: str, **data: Any) -> str:
    template = compiled("sms", text=source)
    variant = template.variant(Channel.SMS)
    assert variant is not None
    return variant.render(template.complete({}, data))


def record(source: str, key: str | None = None, headers: dict[str, str] | None = None, **data: Any) -> Record:
    template = compiled("kafka", json=source, key=key, headers=headers or {})
    variant = template.variant(Channel.KAFKA)
    assert variant is not None
    return variant.render(template.complete({}, data))


def test_a_text_is_said_as_it_is() -> None:
    assert text('  {{ name }} owes <5 & "more"\n', name="<b>O'Neil</b>") == '<b>O\'Neil</b> owes <5 & "more"'


@pytest.mark.parametrize(
    ("value", "said"),
    [("a\r\nb\rc", "a\nb\nc"), ("a\tb", "a b"), ("a\0b\x1b[31m\x7f\x85c", "ab[31mc"), (None, ""), ("😀\u00a0", "😀")],
)
def test_a_text_has_no_control_characters(value: str | None, said: str) -> None:
    assert text("{{ value }}.", value=value) == f"{said}." if value != "😀\u00a0" else "😀\u00a0."


def test_an_empty_text_is_not_sent() -> None:
    with pytest.raises(RenderFailed) as failed:
        text("{% if name == 'x' %}Hi{% endif %} \n", name="Ada")
    assert failed.value.code == "body_missing"


def test_a_printed_value_is_a_whole_json_value() -> None:
    source = '{"name": {{ name }}, "n": {{ n }}, "none": {{ none_ }}, "items": {{ items }}, "hi": {{ "Hi " ~ name }}}'
    made = record(source, name='A"\n</script>', n=1.5, none_=None, items=[1, {"a": None}])
    assert json.loads(made.value) == {
        "name": 'A"\n</script>',
        "n": 1.5,
        "none": None,
        "items": [1, {"a": None}],
        "hi": 'Hi A"\n</script>',
    }
    assert (made.key, made.headers) == (None, ())


def test_loops_and_conditions_make_json_too() -> None:
    source = '[{% for item in items %}{{ item|upper }}{{ "," if not loop.last else "" }}{% endfor %}]'
    with pytest.raises(RenderFailed) as failed:
        record(source, items=["a", "b"])
    assert failed.value.code == "json_malformed"
    good = "[{% for item in items %}{{ item|upper }}{% if not loop.last %},{% endif %}{% endfor %}]"
    assert json.loads(record(good, items=["a", 'b"']).value) == ["A", 'B"']


def test_key_and_headers_are_text() -> None:
    made = record(
        "{{ n }}", key=" {{ name }} ", headers={"trace": "<{{ name }}>", "x-html": "{{ name }}"}, n=1, name="a&b"
    )
    assert (made.key, made.headers) == ("a&b", (("trace", "<a&b>"), ("x-html", "a&b")))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=10,
)
_TEMPLATE = compiled("kafka", json='{"value": {{ value }}}')


@given(json_values)
def test_no_value_breaks_out_of_its_place(value: Any) -> None:
    variant = _TEMPLATE.variant(Channel.KAFKA)
    assert variant is not None
    made = json.loads(variant.render(_TEMPLATE.complete({}, {"value": value})).value)
    assert made.keys() == {"value"}
    assert made["value"] == value


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("{{ name }} and more", {"name": "x"}),
        ("{", {}),
        ("{{ name|safe }}", {"name": "x"}),
        ("[" * 5000, {}),
        ("  ", {}),
    ],
)
def test_what_comes_out_must_be_json(source: str, data: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as failed:
        record(source, **data)
    assert failed.value.faults[0].code in ("json_malformed", "body_missing")


def test_a_key_that_is_no_key() -> None:
    with pytest.raises(RenderFailed) as failed:
        record("1", key="{{ name }}", name="x" * 2001)
    assert failed.value.code == "header_too_long"


def test_a_missing_variable_is_an_error_in_every_part() -> None:
    for make in (
        lambda: text("{{ user.name }}", user={}),
        lambda: record("{{ user.name }}", user={}),
        lambda: record("1", key="{{ user.name }}", user={}),
        lambda: record("1", headers={"a": "{{ user.name }}"}, user={}),
    ):
        with pytest.raises(RenderFailed) as failed:
            make()
        assert failed.value.code == "undefined_variable"
    with pytest.raises(RenderFailed) as missing:
        text("{{ name }}")
    assert missing.value.code == "missing_variable"


@pytest.mark.parametrize(
    ("channel", "fields", "found"),
    [
        ("sms", {"text": "x", "html": "<p>"}, [("not_for_channel", "/variants/0/html")]),
        (
            "sms",
            {"text": "x", "subject": "s", "json": "1"},
            [("not_for_channel", "/variants/0/json"), ("not_for_channel", "/variants/0/subject")],
        ),
        ("sms", {}, [("body_missing", "/variants/0/text")]),
        ("sms", {"text": "{{ name"}, [("template_syntax", "/variants/0/text")]),
        ("kafka", {"text": "x"}, [("not_for_channel", "/variants/0/text"), ("body_missing", "/variants/0/json")]),
        ("kafka", {"json": '{"name": "{{ name }}"}'}, [("json_quotes", "/variants/0/json")]),
        ("kafka", {"json": "1", "headers": {"a b": "x"}}, [("header_invalid", "/variants/0/headers")]),
        ("kafka", {"json": "1", "headers": {"a": "{{ x|uper }}"}}, [("unknown_filter", "/variants/0/headers/a")]),
        ("kafka", {"json": "1", "key": "{% if %}"}, [("template_syntax", "/variants/0/key")]),
        (
            "kafka",
            {"json": "1", "headers": {f"h{n}": "x" for n in range(51)}},
            [("header_invalid", "/variants/0/headers")],
        ),
        ("email", {"subject": "s", "text": "x", "json": "1"}, [("not_for_channel", "/variants/0/json")]),
        ("push", {"text": "x"}, [("not_supported_yet", "/variants/0/channel")]),
    ],
)
def test_faults_are_told_where_they_stand(channel: str, fields: dict[str, Any], found: list[tuple[str, str]]) -> None:
    assert [(fault.code, fault.pointer) for fault in faults(channel, **fields)] == found


def test_undeclared_names_are_found_in_every_part() -> None:
    variant = {"channel": "kafka", "json": "{{ a }}", "key": "{{ b }}", "headers": {"h": "{{ c }}"}}
    with pytest.raises(Invalid) as refused:
        compile_template(msgspec.convert({"variants": [variant], "variables": []}, TemplateDraft))
    assert [fault.part for fault in refused.value.faults] == ["json", "key", "headers/h"]


def test_a_text_is_previewed_with_its_cost() -> None:
    shown = preview(compiled("sms", text="Hi {{ name }}"), {"name": "Ада"}, channel=Channel.SMS)
    assert (shown.text, shown.encoding, shown.segments) == ("Hi Ада", "UCS-2", 1)
    assert (shown.to, shown.sender, shown.subject, shown.html) == ("+12025550123", "", None, None)


def test_a_record_is_previewed_whole() -> None:
    template = compiled("kafka", json="[{{ n }}]", headers={"h": "{{ n }}"})
    shown = preview(template, {"n": 7}, channel=Channel.KAFKA)
    assert (shown.json, shown.key, shown.headers, shown.source) == ("[7]", "recipient", {"h": "7"}, "[7]")
