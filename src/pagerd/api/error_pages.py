"""Every error code with its title, what it means, and what to do: the pages that problems point to."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib import resources

import msgspec


class ErrorPage(msgspec.Struct, frozen=True, kw_only=True):
    """One code, explained."""

    title: str
    meaning: str
    remedy: str


@cache
def pages() -> dict[str, ErrorPage]:
    """Return the table, from ``errors.toml`` beside this file."""
    text = resources.files(__package__).joinpath("errors.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, ErrorPage])


def title_of(code: str) -> str:
    """Return a code's title; a code without a page (a test tells that there is none) is its own."""
    page = pages().get(code)
    return page.title if page else code.replace("_", " ").capitalize()
