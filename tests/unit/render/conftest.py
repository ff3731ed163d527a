"""Drafts made short, and a compiled template as a test wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from pagerd.core.errors import Fault, Invalid
from pagerd.core.policy import Channel
from pagerd.core.templates import Parts, TemplateDraft, Variant
from pagerd.core.variables import Variable
from pagerd.render.compile import compile_template

Drafted = Callable[..., TemplateDraft]


def _draft(
    subject: str | None = "Hello",
    html: str | None = None,
    text: str | None = None,
    *,
    variables: list[Variable] | msgspec.UnsetType = msgspec.UNSET,
    locale: str = "en",
    **fields: Any,
) -> TemplateDraft:
    variant = Variant(channel=Channel.EMAIL, locale=locale, subject=subject, html=html, text=text)
    return TemplateDraft(variants=[variant], variables=variables, **fields)


@pytest.fixture(scope="session")
def draft() -> Drafted:
    """Make a draft of one variant."""
    return _draft


@pytest.fixture(scope="session")
def render() -> Callable[..., Parts]:
    """Compile a draft of one variant and render it for ``data``."""

    def rendered(*parts: str | None, data: dict[str, Any] | None = None, **fields: Any) -> Parts:
        compiled = compile_template(_draft(*parts, **fields))
        return compiled.variants[0].render(compiled.complete({}, data or {}))

    return rendered


@pytest.fixture(scope="session")
def faults() -> Callable[[TemplateDraft], list[Fault]]:
    """Return the faults of a draft; a draft without any fails the test."""

    def found(draft: TemplateDraft) -> list[Fault]:
        with pytest.raises(Invalid) as refused:
            compile_template(draft)
        return list(refused.value.faults)

    return found
