"""The scanner cuts a source as the engine does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from minijinja import Environment, TemplateError

from pagerd.render.source import Kind, scan, tidied

PIECES = st.sampled_from(
    [
        *[
            "{{",
            "}}",
            "{%",
            "%}",
            "{#",
            "#}",
            "-",
            "+",
            "'",
            '"',
            "\\",
            "{",
            "}",
            "(",
            ")",
            "[",
            "]",
            " ",
            "\n",
            "a",
            "|",
        ],
        *["{% raw %}", "{% endraw %}", "{% if a %}", "{% endif %}", "{{ a }}", "{# c #}", "'}}'", "{'k': 1}", "ä"],
    ]
)


@pytest.mark.parametrize(
    ("source", "kinds"),
    [
        ("plain", [Kind.TEXT]),
        ("a{{ b }}c", [Kind.TEXT, Kind.PRINT, Kind.TEXT]),
        ("{{ '}}' }}x", [Kind.PRINT, Kind.TEXT]),
        ("{{ 'a\\'}}' }}", [Kind.PRINT]),
        ("{{ {'a': {'b': 1}} }}x", [Kind.PRINT, Kind.TEXT]),
        ("{{ {'a':{}}}}x", [Kind.PRINT, Kind.TEXT]),
        ("{% if '%}' %}x{% endif %}", [Kind.BLOCK, Kind.TEXT, Kind.BLOCK]),
        ("{# {{ a }} #}b", [Kind.COMMENT, Kind.TEXT]),
        ("{%- raw -%}{{ a }}{%- endraw -%}b", [Kind.RAW, Kind.TEXT]),
        ("{{ a", [Kind.PRINT]),
        ("{# a", [Kind.COMMENT]),
        ("{{ 'a", [Kind.PRINT]),
    ],
)
def test_segments(source: str, kinds: list[Kind]) -> None:
    assert [segment.kind for segment in scan(source)] == kinds


def test_tokens_know_where_they_stand() -> None:
    (segment,) = scan("{{- user.name|upper -}}")
    assert [(token.kind, token.text, token.at) for token in segment.tokens] == [
        ("name", "user", 4),
        ("op", ".", 8),
        ("name", "name", 9),
        ("op", "|", 13),
        ("name", "upper", 14),
    ]


@given(st.lists(PIECES, max_size=30).map("".join))
def test_segments_cover_the_source_without_gaps(source: str) -> None:
    segments = scan(source)
    assert "".join(source[segment.start : segment.end] for segment in segments) == source
    assert all(segment.end > segment.start for segment in segments)


@given(st.lists(PIECES, max_size=30).map("".join))
def test_text_segments_are_what_the_engine_leaves_alone(source: str) -> None:
    """Where the engine accepts a source, blanking out every tag but its text leaves a source of text only."""
    environment = Environment(keep_trailing_newline=True)
    try:
        environment.add_template("t", source)
    except TemplateError:
        return
    for segment in scan(source):
        whole = source[segment.start : segment.end]
        if segment.kind is Kind.TEXT:
            assert environment.render_str(whole) == whole
        elif segment.kind in (Kind.PRINT, Kind.BLOCK):
            assert whole.endswith(("}}", "%}"))


@pytest.mark.parametrize(
    ("source", "rendered"),
    [
        ("a\n{% if yes %}\nb\n{% endif %}\nc", "a\nb\nc"),
        ("a\n  {% if yes %}  \n  b\n  {% endif %}\nc", "a\n  b\nc"),
        ("{% for i in [1, 2] %}\n- {{ i }}\n{% endfor %}\n", "- 1\n- 2\n"),
        ("a\n{# a note #}\nb", "a\nb"),
        ("a\n{#\na long note\n#}\nb", "a\nb"),
        ("a\r\n{% if yes %}\r\nb\r\n{% endif %}\r\nc", "a\r\nb\r\nc"),
        ("a {% if yes %}\nb{% endif %}\nc", "a \nb\nc"),
        ("{% if yes %}{% if yes %}\na{% endif %}{% endif %}", "\na"),
        ("{{ 1 }}\n{{ 2 }}\n", "1\n2\n"),
        ("a\n\n{%- if yes %}\nb{% endif %}", "ab"),
        ("{% raw %}\n{% if %}\n{% endraw %}\n", "\n{% if %}\n\n"),
        ("a\n  {% if yes %}\nb{% endif %}", "a\nb"),
        ("a\n{% if yes %}", None),
    ],
)
def test_a_line_of_one_block_tag_leaves_no_line(source: str, rendered: str | None) -> None:
    tidy = tidied(source)
    assert tidy.count("\n") == source.count("\n"), "line numbers stay true"
    if rendered is not None:
        environment = Environment(keep_trailing_newline=True)
        assert environment.render_str(tidy, yes=True) == rendered
