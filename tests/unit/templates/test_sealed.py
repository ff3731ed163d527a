"""A draft sleeps as canonical JSON, sealed to its place."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from pagerd.core.errors import SealBroken
from pagerd.core.policy import Channel
from pagerd.core.templates import TemplateDraft, Variant
from pagerd.core.variables import Variable
from pagerd.ports.store import TemplateRow, VersionRow
from pagerd.seal.workspace import WorkspaceSeal
from pagerd.templates.sealed import Sleeper, canonical


def test_equal_drafts_are_equal_bytes() -> None:
    def made(default: dict[str, int]) -> TemplateDraft:
        variant = Variant(channel=Channel.EMAIL, subject="s", text="t")
        return TemplateDraft(variants=[variant], variables=[Variable(name="v", default=default)])

    assert canonical(made({"a": 1, "b": 2})) == canonical(made({"b": 2, "a": 1}))
    assert canonical(made({"a": 1})) != canonical(made({"a": 2}))


def test_no_variables_and_none_declared_are_two_things(draft: Callable[..., TemplateDraft]) -> None:
    undeclared = draft()
    none = msgspec.structs.replace(undeclared, variables=[])
    assert canonical(undeclared) != canonical(none)


def test_a_blob_opens_at_its_own_place_only(seal: WorkspaceSeal, draft: Callable[..., TemplateDraft]) -> None:
    sleeper = Sleeper(seal)

    def row(workspace: int, name: str) -> TemplateRow:
        blob = sleeper.seal_draft(1, "a", draft())
        return TemplateRow(
            id=b"", workspace=workspace, name=name, draft=blob, published=0, revision=1, created_at=0, updated_at=0
        )

    assert sleeper.draft(row(1, "a")) == draft()
    for elsewhere in (row(2, "a"), row(1, "b")):
        with pytest.raises(SealBroken):
            sleeper.draft(elsewhere)


def test_a_version_is_no_other_version_and_no_draft(seal: WorkspaceSeal, draft: Callable[..., TemplateDraft]) -> None:
    sleeper = Sleeper(seal)
    body = sleeper.seal_version(1, "a", 1, draft())
    assert sleeper.version(VersionRow(workspace=1, name="a", version=1, body=body, published_at=0)) == draft()
    with pytest.raises(SealBroken):
        sleeper.version(VersionRow(workspace=1, name="a", version=2, body=body, published_at=0))
    blob = sleeper.seal_draft(1, "a", draft())
    with pytest.raises(SealBroken):
        sleeper.version(VersionRow(workspace=1, name="a", version=1, body=blob, published_at=0))
