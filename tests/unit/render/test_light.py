"""Small data is rendered unmeasured where that can't come to much, and says the same."""

from __future__ import annotations

from typing import Any

import pytest

from pagerd.core.policy import Channel
from pagerd.core.templates import TemplateDraft, Variant
from pagerd.render.compile import compile_template
from pagerd.render.limits import LOOPED_CHARS
from pagerd.render.mail_variant import MailVariant
from pagerd.render.multiplying import light_up_to

LOOP = "{% for item in items %}- {{ item }}{% endfor %}"


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in items %}{% for b in items %}x{% endfor %}{% endfor %}",
        "{% for a in items recursive %}x{% endfor %}",
        "{% for a in items|batch(2) %}x{% endfor %}",
        "{% for a in range(9) %}x{% endfor %}",
        "{% for a in [items, items] %}x{% endfor %}",
        "{% set a = items %}{% for b in a %}x{% endfor %}",
        "{% for a in items %}{{ a ~ a }}{% endfor %}",
        "{% for a in items %}{{ a|indent(9) }}{% endfor %}",
        "{% macro m() %}x{% endmacro %}",
    ],
)
def test_what_makes_or_multiplies_is_always_measured(source: str) -> None:
    assert light_up_to([LOOP, source]) == 0


def test_the_more_a_loop_prints_the_smaller_the_data_must_be() -> None:
    one, three = light_up_to([LOOP]), light_up_to([LOOP, LOOP.replace("{{ item }}", "{{ item }}" * 3)])
    assert one > three > 500
    assert one * one * 6 <= LOOPED_CHARS
    assert light_up_to(["{% for a in items %}" + "x" * 10_000 + "{% endfor %}"]) * 10_000 <= LOOPED_CHARS


@pytest.mark.parametrize("data", [{"items": ["<pen>", "paper"]}, {"items": []}, {"items": [1.5, True]}])
def test_both_ways_say_the_same(data: dict[str, Any]) -> None:
    draft = TemplateDraft(variants=[Variant(channel=Channel.EMAIL, subject="S", text=LOOP, html=f"<ul>{LOOP}</ul>")])
    template = compile_template(draft)
    variant = template.variant(Channel.EMAIL, "en")
    assert isinstance(variant, MailVariant)
    completion = template.completion({})
    small, unknown = completion.complete(data, 100), completion.complete(data)
    assert variant.render(small) == variant.render(unknown)


def test_data_above_the_limit_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    draft = TemplateDraft(variants=[Variant(channel=Channel.EMAIL, subject="S", text=LOOP, html=LOOP)])
    template = compile_template(draft)
    variant = template.variant(Channel.EMAIL, "en")
    assert isinstance(variant, MailVariant)
    completion = template.completion({})
    seen = []
    spending = variant._engines.spending
    assert spending is not None
    monkeypatch.setattr(type(spending), "begin", lambda self: seen.append(1))
    variant.render(completion.complete({"items": ["a"]}, 100))
    assert seen == []
    variant.render(completion.complete({"items": ["a"]}, 10_000_000))
    variant.render(completion.complete({"items": ["a"]}))
    assert len(seen) == 2
