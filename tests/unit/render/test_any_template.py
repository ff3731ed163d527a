"""Whatever an author writes: it is refused with its faults, or it compiles; then it renders, or says why not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pagerd.core.errors import Invalid
from pagerd.core.policy import Channel
from pagerd.core.templates import TemplateDraft, Variant
from pagerd.render.compile import compile_template
from pagerd.render.errors import RenderFailed

STATEMENTS = [
    "if x", "elif y", "else", "endif", "for i in x", "for a, b in y", "endfor", "set z = x", "set z", "endset",
    "with w = x", "endwith", "macro m(a)", "endmacro", "call m(1)", "endcall", "filter upper", "endfilter",
    "block b", "endblock", "raw", "endraw", "autoescape false", "endautoescape", "do x", "include 'x'", "break", "",
]  # fmt: skip
VALUES = [
    "x", "y.a", "y['a']", "i", "x|upper", "x|nope", "x is defined", "x is nope", "x()", "range(9)", "'a' ~ x", "1 / 0",
    "[1, x]", "{'a': x}", "x if y else z", "loop.index", "x[1:]", "-x", "not x", "x|date",
    "x|default('d')", "'%}'", "", "|",
]  # fmt: skip
PIECES = st.one_of(
    st.sampled_from(STATEMENTS).map("{{% {} %}}".format),
    st.sampled_from(VALUES).map("{{{{ {} }}}}".format),
    st.sampled_from(
        ["<p>", "</p>", "<a href='", "'>", "</a>", "<ul><li>", "</ul>", "\n", " ", "text", "ä", "{#", "#}", "{{"]
    ),
    st.text(max_size=3),
)
SOURCES = st.lists(PIECES, max_size=12).map("".join)
VALUE = st.sampled_from([None, True, 0, 1.5, "", "text", "<b>", [], [1, "a"], {}, {"a": 1}, "2026-01-01"])


@given(subject=SOURCES, html=SOURCES, text=st.none() | SOURCES, data=st.fixed_dictionaries({"x": VALUE, "y": VALUE}))
def test_any_template(subject: str, html: str, text: str | None, data: dict[str, object]) -> None:
    variant = Variant(channel=Channel.EMAIL, locale="en", subject=subject, html=html, text=text)
    try:
        compiled = compile_template(TemplateDraft(variants=[variant]))
    except Invalid as refused:
        assert refused.count == len(refused.faults) > 0
        for fault in refused.faults:
            source = {"subject": subject, "html": html, "text": text}[fault.part or "html"] or ""
            assert fault.line is None or 1 <= fault.line <= source.count("\n") + 1
        return
    try:
        parts = compiled.variants[0].render(compiled.complete({"z": 1, "i": 2}, data))
        mail = compiled.variants[0].skeleton("hi@shop.example").fill(parts, to="a@b.example", message_id="1@b", date=0)
    except RenderFailed as failed:
        assert failed.code
        return
    assert mail.isascii()
    assert b"\r\nBcc:" not in mail
