"""Save, publish, find, pin: what the room promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from pagerd.adapters.memory.store import MemoryStore
from pagerd.adapters.memory.time import HandClock
from pagerd.core.errors import Conflict, Invalid, Missing, SealBroken
from pagerd.core.templates import TemplateDraft
from pagerd.ports.store import TemplateRow
from pagerd.templates.library import Templates

Drafted = Callable[..., TemplateDraft]
W = 1


async def test_a_saved_draft_is_there(templates: Templates, draft: Drafted, clock: HandClock) -> None:
    saved = await templates.save(W, "order-shipped", draft())
    assert (saved.name, saved.revision, saved.published) == ("order-shipped", 1, 0)
    assert saved.created_at == saved.updated_at == clock.now()
    assert saved.id.startswith("tpl_")
    assert await templates.get(W, "order-shipped") == saved


async def test_saving_again_is_a_new_revision_of_the_same_template(
    templates: Templates, draft: Drafted, clock: HandClock
) -> None:
    first = await templates.save(W, "a", draft("one"))
    clock.advance(60)
    second = await templates.save(W, "a", draft("two"))
    assert (second.id, second.created_at) == (first.id, first.created_at)
    assert (second.revision, second.updated_at) == (2, first.updated_at + 60)
    assert (await templates.get(W, "a")).draft == draft("two")


async def test_a_draft_with_faults_is_not_saved(templates: Templates, draft: Drafted) -> None:
    with pytest.raises(Invalid) as refused:
        await templates.save(W, "a", draft("{{ a", "{{ b|uper }}"))
    assert [fault.part for fault in refused.value.faults] == ["subject", "text"]
    with pytest.raises(Missing):
        await templates.get(W, "a")


@pytest.mark.parametrize("name", ["", "-a", "A", "a_b", "a.b", "a b", "a/b", "ä", "a" * 101, "a@1", "a\n"])
async def test_names(templates: Templates, draft: Drafted, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        await templates.save(W, name, draft())
    assert refused.value.code == "template_name"


async def test_who_saw_an_older_revision_does_not_overwrite_a_newer(templates: Templates, draft: Drafted) -> None:
    await templates.save(W, "a", draft("one"), expected=0)
    await templates.save(W, "a", draft("two"), expected=1)
    for expected in (0, 1, 3):
        with pytest.raises(Conflict) as refused:
            await templates.save(W, "a", draft("three"), expected=expected)
        assert refused.value.code == "stale_revision"
    assert (await templates.get(W, "a")).draft == draft("two")


async def test_publishing_freezes_a_version(templates: Templates, draft: Drafted, clock: HandClock) -> None:
    await templates.save(W, "a", draft("one"))
    first = await templates.publish(W, "a")
    assert (first.name, first.version, first.published_at, first.draft) == ("a", 1, clock.now(), draft("one"))
    await templates.save(W, "a", draft("two"))
    assert (await templates.pinned(W, "a")).version == 1
    second = await templates.publish(W, "a")
    assert (second.version, second.draft) == (2, draft("two"))
    assert await templates.versions(W, "a") == [second, first]
    assert (await templates.get(W, "a")).published == 2


async def test_what_is_published_already_is_not_published_again(
    templates: Templates, draft: Drafted, clock: HandClock
) -> None:
    await templates.save(W, "a", draft("one"))
    first = await templates.publish(W, "a")
    clock.advance(60)
    assert await templates.publish(W, "a") == first
    await templates.save(W, "a", draft("one"))
    assert await templates.publish(W, "a") == first
    assert len(await templates.versions(W, "a")) == 1


async def test_going_back_to_older_words_is_a_new_version(templates: Templates, draft: Drafted) -> None:
    for subject in ("one", "two", "one"):
        await templates.save(W, "a", draft(subject))
        version = await templates.publish(W, "a")
    assert version.version == 3


async def test_many_who_publish_at_once_get_one_version(opened: Callable[..., Templates], draft: Drafted) -> None:
    rooms = [opened() for _ in range(8)]
    await rooms[0].save(W, "a", draft())
    versions = await asyncio.gather(*(room.publish(W, "a") for room in rooms))
    assert {version.version for version in versions} == {1}


async def test_many_who_save_and_publish_at_once_lose_nothing(opened: Callable[..., Templates], draft: Drafted) -> None:
    rooms = [opened() for _ in range(6)]

    async def author(number: int) -> int:
        await rooms[number].save(W, "a", draft(f"by {number}"))
        return (await rooms[number].publish(W, "a")).version

    versions = await asyncio.gather(*map(author, range(6)))
    listed = await rooms[0].versions(W, "a")
    assert [version.version for version in listed] == list(range(len(listed), 0, -1))
    assert max(versions) == len(listed)
    assert (await rooms[0].get(W, "a")).revision == 6
    assert (await rooms[0].get(W, "a")).draft == listed[0].draft


async def test_workspaces_do_not_see_each_other(templates: Templates, draft: Drafted) -> None:
    await templates.save(W, "a", draft("one"))
    await templates.save(2, "a", draft("two"))
    await templates.publish(2, "a")
    assert (await templates.get(W, "a")).draft == draft("one")
    assert (await templates.get(W, "a")).published == 0
    with pytest.raises(Missing):
        await templates.get(3, "a")


async def test_pages_are_in_order_of_name(templates: Templates, draft: Drafted) -> None:
    for name in ("c", "a", "b"):
        await templates.save(W, name, draft(name))
    assert [view.name for view in await templates.page(W, 2)] == ["a", "b"]
    assert [view.name for view in await templates.page(W, 2, "b")] == ["c"]
    assert (await templates.page(W, 1))[0].draft == draft("a")


async def test_a_pin_is_a_published_version(templates: Templates, draft: Drafted) -> None:
    for subject in ("one", "two", "three"):
        await templates.save(W, "a", draft(subject))
        await templates.publish(W, "a")
    newest = await templates.pinned(W, "a")
    assert (newest.name, newest.version) == ("a", 3)
    older = await templates.pinned(W, "a@2")
    assert older.version == 2
    parts = older.compiled.variants[0].render(older.compiled.complete({}, {"name": "Ada"}))
    assert (parts.subject, parts.text) == ("two", "Hi Ada")


@pytest.mark.parametrize(
    ("reference", "code", "words"),
    [
        ("order-shiped", "template_unknown", "did you mean 'order-shipped'?"),
        ("nothing-like-it", "template_unknown", "there is no template 'nothing-like-it'"),
        ("order-shipped@3", "version_unknown", "its newest is 1"),
        ("only-a-draft", "template_unpublished", "only-a-draft"),
        ("only-a-draft@1", "template_unpublished", "only-a-draft"),
        ("order-shipped@0", "template_unknown", "NAME@VERSION"),
        ("order-shipped@x", "template_unknown", "NAME@VERSION"),
        ("order-shipped@", "template_unknown", "NAME@VERSION"),
        ("", "template_unknown", "NAME@VERSION"),
    ],
)
async def test_what_can_not_be_pinned(
    templates: Templates, draft: Drafted, reference: str, code: str, words: str
) -> None:
    await templates.save(W, "order-shipped", draft())
    await templates.publish(W, "order-shipped")
    await templates.save(W, "only-a-draft", draft())
    with pytest.raises(Invalid) as refused:
        await templates.pinned(W, reference)
    assert refused.value.code == code
    assert words in refused.value.detail
    assert refused.value.faults[0].pointer == "/template"


async def test_what_is_not_there(templates: Templates, draft: Drafted) -> None:
    await templates.save(W, "order-shipped", draft())
    for verb in (templates.get, templates.publish, templates.versions):
        with pytest.raises(Missing) as missing:
            await verb(W, "order-shiped")
        assert missing.value.code == "template_unknown"
        assert "did you mean 'order-shipped'?" in missing.value.detail
    with pytest.raises(Missing) as missing:
        await templates.compiled(W, "order-shipped", 1)
    assert missing.value.code == "version_unknown"


async def test_a_version_is_compiled_once(templates: Templates, draft: Drafted) -> None:
    await templates.save(W, "a", draft())
    await templates.publish(W, "a")
    all_at_once = await asyncio.gather(*(templates.compiled(W, "a", 1) for _ in range(5)))
    assert {id(compiled) for compiled in all_at_once} == {id(await templates.compiled(W, "a", 1))}
    assert (await templates.pinned(W, "a@1")).compiled is all_at_once[0]


async def test_the_version_used_longest_ago_goes_first(opened: Callable[..., Templates], draft: Drafted) -> None:
    templates = opened(cached=2)
    for name in ("a", "b", "c"):
        await templates.save(W, name, draft(name))
        await templates.publish(W, name)
    first, second = await templates.compiled(W, "a", 1), await templates.compiled(W, "b", 1)
    assert await templates.compiled(W, "a", 1) is first
    await templates.compiled(W, "c", 1)
    assert await templates.compiled(W, "a", 1) is first
    assert await templates.compiled(W, "b", 1) is not second


async def test_nothing_of_a_template_is_readable_in_the_store(
    templates: Templates, draft: Drafted, store: MemoryStore
) -> None:
    await templates.save(W, "a", draft("canary in the subject", "canary in the text", description="canary too"))
    await templates.publish(W, "a")
    row = await store.read(lambda work: work.templates.get(W, "a"))
    version = await store.read(lambda work: work.templates.version(W, "a", 1))
    assert row is not None
    assert version is not None
    assert b"canary" not in row.draft + version.body


async def test_a_draft_moved_to_another_place_does_not_open(
    templates: Templates, draft: Drafted, store: MemoryStore
) -> None:
    await templates.save(W, "a", draft())
    row = await store.read(lambda work: work.templates.get(W, "a"))
    assert row is not None
    moved = TemplateRow(
        id=b"0" * 16, workspace=W, name="b", draft=row.draft, published=0, revision=1, created_at=0, updated_at=0
    )
    await store.work(lambda work: work.templates.save(moved))
    with pytest.raises(SealBroken):
        await templates.get(W, "b")


async def test_preview_of_the_draft_and_of_a_version(templates: Templates, draft: Drafted, clock: HandClock) -> None:
    await templates.save(W, "a", draft("published"))
    await templates.publish(W, "a")
    await templates.save(W, "a", draft("draft"))
    shown = await templates.preview(W, "a", {"name": "Ada"})
    assert (shown.subject, shown.text) == ("draft", "Hi Ada")
    assert (await templates.preview(W, "a", {"name": "Ada"}, version=1)).subject == "published"
    with pytest.raises(Missing):
        await templates.preview(W, "a", {}, version=2)
    with pytest.raises(Invalid):
        await templates.preview(W, "a", {})
