"""Which variant a person's locale means."""

from __future__ import annotations

import pytest

from pagerd.core.policy import Channel
from pagerd.core.templates import TemplateDraft, Variant
from pagerd.render.compile import compile_template
from pagerd.render.compiled import CompiledTemplate
from pagerd.render.locales import canonical, fallbacks, well_formed


@pytest.fixture(scope="module")
def compiled() -> CompiledTemplate:
    tags = ("en", "de", "de-CH", "zh-Hant", "pt-BR")
    return compile_template(
        TemplateDraft(variants=[Variant(channel=Channel.EMAIL, locale=tag, subject=tag, text="t") for tag in tags])
    )


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("en", "en"),
        ("de-AT", "de"),
        ("de-CH", "de-CH"),
        ("DE-ch", "de-CH"),
        ("de_AT", "de"),
        (" de ", "de"),
        ("zh-Hant-TW", "zh-Hant"),
        ("zh-Hans-CN", "en"),
        ("pt", "en"),
        ("pt-BR", "pt-BR"),
        ("fr", "en"),
        ("", "en"),
        (None, "en"),
        ("not a locale at all", "en"),
    ],
)
def test_fallback(compiled: CompiledTemplate, asked: str | None, given: str) -> None:
    for _ in range(2):
        variant = compiled.variant(Channel.EMAIL, asked)
        assert variant is not None
        assert variant.locale == given


def test_no_variant_for_a_channel(compiled: CompiledTemplate) -> None:
    assert compiled.variant(Channel.SMS, "en") is None


def test_the_first_variant_is_the_default() -> None:
    variants = [Variant(channel=Channel.EMAIL, locale=tag, subject=tag, text="t") for tag in ("fr", "en")]
    variant = compile_template(TemplateDraft(variants=variants)).variant(Channel.EMAIL, "ja")
    assert variant is not None
    assert variant.name == "email.fr"


def test_strange_locales_do_not_pile_up(compiled: CompiledTemplate) -> None:
    for number in range(3_000):
        compiled.variant(Channel.EMAIL, f"x{number}")
    assert len(compiled._chosen) <= 1_000
    assert compiled.variant(Channel.EMAIL, "de-AT") is compiled.variant(Channel.EMAIL, "de")


@pytest.mark.parametrize("tag", ["de", "de-AT", "zh-Hant-TW", "es-419", "ca-valencia", "sl-nedis", "de-1996", "haw"])
def test_well_formed(tag: str) -> None:
    assert well_formed(tag)


@pytest.mark.parametrize("tag", ["", "d", "german", "de_AT", "de-", "-de", "de-AT\n", "de-Á", "١٢"])
def test_ill_formed(tag: str) -> None:
    assert not well_formed(tag)


def test_fallbacks_get_shorter() -> None:
    assert fallbacks(canonical("zh_Hant_TW")) == ["zh-hant-tw", "zh-hant", "zh"]
