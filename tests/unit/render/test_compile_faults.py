"""Every mistake in a draft is found at once, with its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pagerd.core.errors import Fault, Invalid
from pagerd.core.policy import Channel
from pagerd.core.templates import PARTS, TemplateDraft, Variant
from pagerd.core.variables import Variable, VariableType
from pagerd.render.compile import compile_template
from pagerd.render.limits import BRANCHES, SOURCE_BYTES, TAG_CHARS

Faults = Callable[[TemplateDraft], list[Fault]]
Drafted = Callable[..., TemplateDraft]
NAME = Variable(name="name", required=True)


def only(found: list[Fault]) -> Fault:
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("source", "line", "column", "words"),
    [
        ("a\n  {{ name | }}", 2, 13, "identifier"),
        ("{% if name %}", 1, 12, "end of block"),
        ("{% fro i in name %}{% endfor %}", 1, 4, "did you mean 'for'?"),
        ("a\n\n{{ 'abc }}", 3, 0, "end of string"),
        ("grüße 😀 {{ name + }}", 1, 19, "end of variable block"),
        ("{% for i in name %}\n{% endif %}", 2, 4, "endif"),
        ("{# never", 1, 0, "end of comment"),
        ("{{ (((((" + "(" * 500 + "1" + ")" * 505 + " }}", 1, 0, "recursion"),
    ],
)
def test_syntax(draft: Drafted, faults: Faults, source: str, line: int, column: int, words: str) -> None:
    fault = only(faults(draft("s", source, variables=[NAME])))
    assert fault.code == "template_syntax"
    assert (fault.variant, fault.part, fault.pointer) == ("email.en", "html", "/variants/0/html")
    assert fault.line == line
    assert column in (0, fault.column)
    assert words in fault.detail
    assert fault.excerpt is not None
    assert fault.excerpt.split("\n")[0].strip("…") in source.split("\n")[line - 1]
    assert fault.excerpt.split("\n")[1].strip() == "^"


def test_every_broken_expression_of_a_part_is_named(draft: Drafted, faults: Faults) -> None:
    found = faults(draft("s", "{{ name + }}\n{{ name }}\n{{ name name }}\n{{ | }}", variables=[NAME]))
    assert [fault.line for fault in found] == [1, 3, 4]


def test_every_part_of_every_variant_is_looked_at(faults: Faults) -> None:
    variants = [
        Variant(channel=Channel.EMAIL, locale="en", subject="{{ a + }}", html="{{ b + }}", text="{{ c + }}"),
        Variant(channel=Channel.EMAIL, locale="de", subject="gut", text="{% if %}"),
    ]
    found = faults(TemplateDraft(variants=variants))
    assert [(fault.variant, fault.part) for fault in found] == [
        ("email.en", "subject"),
        ("email.en", "html"),
        ("email.en", "text"),
        ("email.de", "text"),
    ]


def test_undeclared_variables_are_found_where_they_stand_first(draft: Drafted, faults: Faults) -> None:
    source = "{{ name }}\n{% for item in items %}{{ item.nme }}{{ nmae }}{% endfor %}\n{{ nmae }}"
    found = faults(draft("s", source, variables=[NAME]))
    assert [(fault.code, fault.line, fault.column) for fault in found] == [
        ("undeclared_variable", 2, 16),
        ("undeclared_variable", 2, 41),
    ]
    assert "did you mean 'name'?" in found[1].detail


@pytest.mark.parametrize(
    "source",
    [
        "{% for i in name %}{{ loop.index }}{{ i }}{% endfor %}",
        "{% set x = name %}{{ x }}",
        "{% with y = name %}{{ y }}{% endwith %}",
        "{% macro m(a) %}{{ a }}{{ caller() }}{% endmacro %}{% call m(name) %}x{% endcall %}",
        "{{ range(3)|join }}{{ dict(a=name) }}",
        "{{ name.items }}{{ name['key'] }}",
        "{% for k, v in name|dictsort(by='value') %}{{ k }}{{ v }}{% endfor %}",
        "{{ name|default('x') }}{{ name if name is defined and name is not none else 'x' }}",
    ],
)
def test_names_of_the_templates_own_are_no_variables(draft: Drafted, source: str) -> None:
    compiled = compile_template(draft("s", source, variables=[NAME]))
    assert [variable.name for variable in compiled.variables] == ["name"]


@pytest.mark.parametrize(
    ("source", "code", "column", "words"),
    [
        ("{{ name|uper }}", "unknown_filter", 9, "did you mean 'upper'?"),
        ("{% filter uper %}x{% endfilter %}", "unknown_filter", 11, "upper"),
        ("{% if name is evn %}x{% endif %}", "unknown_test", 15, "did you mean 'even'?"),
        ("{% if name is not evn %}x{% endif %}", "unknown_test", 19, "even"),
        ("{{ rnage(3) }}", "unknown_function", 4, "did you mean 'range'?"),
        ("{{ name() }}", "unknown_function", 4, "name"),
        ("{{ debug() }}", "unknown_function", 4, "debug"),
        ("{{ super() }}", "unknown_function", 4, "super"),
        ("{% include 'x' %}", "not_supported_yet", 4, "include"),
        ("{% extends 'x' %}", "not_supported_yet", 4, "extends"),
        ("{% import 'x' as y %}", "not_supported_yet", 4, "import"),
        ("{% from 'x' import y %}", "not_supported_yet", 4, "from"),
    ],
)
def test_words_the_engine_only_finds_when_it_is_too_late(
    draft: Drafted, faults: Faults, source: str, code: str, column: int, words: str
) -> None:
    fault = only(faults(draft("s", source, variables=[NAME])))
    assert (fault.code, fault.line, fault.column) == (code, 1, column)
    assert words in fault.detail


@pytest.mark.parametrize(
    "subject", ["a\nb", "a\r\nBcc: x", "tab\there", "nul\x00", "a =?utf-8?q?b?= c", "{{ a }}\n{{ b }}"]
)
def test_a_subject_that_could_become_two_headers(draft: Drafted, faults: Faults, subject: str) -> None:
    fault = only(faults(draft(subject, "x")))
    assert (fault.code, fault.part) == ("header_injection", "subject")


def test_spaces_around_a_subject_are_harmless(draft: Drafted) -> None:
    assert compile_template(draft("\n Hello \n", "x")).variants[0].name == "email.en"


def test_sizes(draft: Drafted, faults: Faults) -> None:
    compile_template(draft("s", "x" * SOURCE_BYTES))
    assert only(faults(draft("s", "x" * (SOURCE_BYTES + 1)))).code == "part_too_large"
    assert only(faults(draft("s", "ä" * (SOURCE_BYTES // 2 + 1)))).code == "part_too_large"


@pytest.mark.parametrize(
    "inside",
    ["not " * 60_000 + "1", "-" * 200_000 + "1", "a" + ".b" * 60_000, "1" + "+1" * 60_000, "a" + "()" * 60_000],
)
def test_what_would_overflow_the_engines_stack_never_reaches_it(draft: Drafted, faults: Faults, inside: str) -> None:
    """Each of these ends the process with a segmentation fault if it is compiled."""
    assert only(faults(draft("s", "{{ " + inside + " }}"))).code == "tag_too_long"
    assert only(faults(draft("s", "{{ " + inside + " + 'unterminated"))).code == "tag_too_long"
    assert only(faults(draft("s", "{{ '}}' + " + inside + " }}"))).code == "tag_too_long"


def test_too_many_branches(draft: Drafted, faults: Faults) -> None:
    source = "{% if 0 %}" + "{% elif 0 %}" * 16_000 + "{% endif %}"
    assert only(faults(draft("s", source))).code == "too_many_branches"
    compile_template(draft("s", "{% if 0 %}" + "{% elif 0 %}" * BRANCHES + "{% endif %}"))


def test_the_longest_tag_that_is_allowed_compiles(draft: Drafted) -> None:
    inside = "-" * (TAG_CHARS - 7) + "1"
    compiled = compile_template(draft("s", text="{{ " + inside + " }}"))
    assert compiled.variants[0].render(compiled.complete({}, {})).text in ("1", "-1")


def test_an_unpaired_surrogate_is_no_character(draft: Drafted, faults: Faults) -> None:
    fault = only(faults(draft("s", "ab\n\ud800")))
    assert (fault.code, fault.line, fault.column) == ("encoding", 2, 1)


def test_a_mail_needs_subject_and_body(draft: Drafted, faults: Faults) -> None:
    assert [fault.code for fault in faults(draft(None))] == ["subject_missing", "body_missing"]
    assert [fault.code for fault in faults(draft("  ", " \n", ""))] == ["subject_missing", "body_missing"]


def test_a_template_needs_a_variant(faults: Faults) -> None:
    assert only(faults(TemplateDraft(variants=[]))).code == "variants_missing"
    many = [Variant(channel=Channel.EMAIL, locale="en", subject="s", text="t")] * 201
    assert only(faults(TemplateDraft(variants=many))).code == "too_many_variants"


@pytest.mark.parametrize("locale", ["", "english", "e", "de_AT", "de-", "de-ATT-x", "../de", "de AT"])
def test_locale_tags(draft: Drafted, faults: Faults, locale: str) -> None:
    fault = only(faults(draft("s", "x", locale=locale)))
    assert (fault.code, fault.pointer) == ("locale_invalid", "/variants/0/locale")


def test_a_variant_is_there_once(faults: Faults) -> None:
    variants = [Variant(channel=Channel.EMAIL, locale=tag, subject="s", text="t") for tag in ("de-AT", "de-at")]
    fault = only(faults(TemplateDraft(variants=variants)))
    assert (fault.code, fault.pointer) == ("duplicate_variant", "/variants/1/locale")


@pytest.mark.parametrize("channel", [channel for channel in Channel if channel not in PARTS])
def test_other_channels_come_later(faults: Faults, channel: Channel) -> None:
    fault = only(faults(TemplateDraft(variants=[Variant(channel=channel, text="t")])))
    assert (fault.code, fault.pointer) == ("not_supported_yet", "/variants/0/channel")


@pytest.mark.parametrize(
    ("variable", "code", "pointer"),
    [
        (Variable(name="n", type=VariableType.INTEGER, default="3"), "variable_type", "/variables/0/default"),
        (Variable(name="n", type=VariableType.INTEGER, default=True), "variable_type", "/variables/0/default"),
        (Variable(name="n", type=VariableType.NUMBER, default=False), "variable_type", "/variables/0/default"),
        (Variable(name="n", type=VariableType.STRING, default=3), "variable_type", "/variables/0/default"),
        (Variable(name="n", type=VariableType.BOOLEAN, default=1), "variable_type", "/variables/0/default"),
        (Variable(name="n", type=VariableType.DATE, default="2026-02-30"), "variable_type", "/variables/0/default"),
        (Variable(name="n", type=VariableType.DATE, default="20260228"), "variable_type", "/variables/0/default"),
        (Variable(name="n", type=VariableType.DATETIME, default="2026-02-28"), "variable_type", "/variables/0/default"),
        (Variable(name="n", type=VariableType.LIST, default={}), "variable_type", "/variables/0/default"),
        (Variable(name="n", type=VariableType.OBJECT, example=[]), "variable_type", "/variables/0/example"),
        (Variable(name="n", required=True, default=1), "required_with_default", "/variables/0/required"),
        (Variable(name="2n"), "variable_name", "/variables/0/name"),
        (Variable(name="is"), "variable_name", "/variables/0/name"),
        (Variable(name="a-b"), "variable_name", "/variables/0/name"),
        (Variable(name="loop"), "variable_name", "/variables/0/name"),
    ],
)
def test_declarations(draft: Drafted, faults: Faults, variable: Variable, code: str, pointer: str) -> None:
    fault = only(faults(draft("s", "x", variables=[variable])))
    assert (fault.code, fault.pointer) == (code, pointer)


def test_a_variable_is_declared_once(draft: Drafted, faults: Faults) -> None:
    fault = only(faults(draft("s", "x", variables=[NAME, NAME])))
    assert (fault.code, fault.pointer) == ("duplicate_variable", "/variables/1/name")


@pytest.mark.parametrize(
    ("fields", "code", "pointer"),
    [
        ({"sender": "nobody"}, "sender_invalid", "/from"),
        ({"sender": "a@b.example, c@d.example"}, "sender_invalid", "/from"),
        ({"sender": "A\r\nBcc: x@y.example <a@b.example>"}, "header_injection", "/from"),
        ({"reply_to": "=?utf-8?q?x?= <a@b.example>"}, "header_injection", "/reply_to"),
        ({"batch_size": 0}, "batch_size", "/batch_size"),
    ],
)
def test_the_rest_of_a_draft(draft: Drafted, faults: Faults, fields: dict[str, Any], code: str, pointer: str) -> None:
    fault = only(faults(draft("s", "x", **fields)))
    assert (fault.code, fault.pointer) == (code, pointer)


def test_everything_at_once_and_the_count(draft: Drafted) -> None:
    with pytest.raises(Invalid) as refused:
        compile_template(draft("{{ a }}", "{{ b|uper }}", "{{ c + }}", variables=[], sender="x", locale="x"))
    codes = {fault.code for fault in refused.value.faults}
    assert codes == {"undeclared_variable", "unknown_filter", "template_syntax", "sender_invalid", "locale_invalid"}
    assert refused.value.count == len(refused.value.faults) == 6
    assert "6 faults" in refused.value.detail
