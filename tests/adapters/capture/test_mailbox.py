"""The mailbox: order, search, limits, live changes, and a journal that survives."""

import asyncio
import errno
import os
import stat
from pathlib import Path

import pytest

from pagerd.adapters.capture import journal
from pagerd.adapters.capture.mailbox import Mailbox
from pagerd.core.errors import Missing


def put(box: Mailbox, subject: str = "hi", to: str = "ada@example.com", body: str = "x") -> str:
    mail = f"From: Shop <shop@example.org>\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode()
    return box.deliver(b"shop@example.org", [to.encode()], mail).decode()


async def subjects(box: Mailbox, **options) -> list[str]:
    return [summary.subject for summary in await box.page(100, **options)]


def files(directory: Path) -> list[Path]:
    return sorted(directory.iterdir())


async def test_newest_first_in_pages():
    box = Mailbox(now=lambda: 5.0)
    names = [put(box, str(n)) for n in range(5)]
    assert names == sorted(names)
    first = await box.page(2)
    assert [s.subject for s in first] == ["4", "3"]
    second = await box.page(2, first[-1].id)
    assert [s.subject for s in second] == ["2", "1"]
    assert [s.subject for s in await box.page(2, second[-1].id)] == ["0"]
    assert first[0].received_at == 5.0
    assert box.count == 5


async def test_a_place_that_is_no_identifier():
    box = Mailbox()
    with pytest.raises(Missing):
        await box.page(1, "ses_123")
    assert await box.get("ses_123") is None
    assert await box.get("cap_zzzzzzzz") is None


async def test_search_and_recipient():
    box = Mailbox()
    put(box, "=?utf-8?q?Gr=C3=BC=C3=9Fe?=", "ada@example.com", body="code 123456")
    put(box, "Rechnung", "Jörg@Example.com")
    assert await subjects(box, search="GRÜSSE") == ["Grüße"]
    assert await subjects(box, search="123456") == ["Grüße"]
    assert await subjects(box, search="jörg@") == ["Rechnung"]
    assert await subjects(box, search="nothing") == []
    assert await subjects(box, to="jörg@example.com") == ["Rechnung"]
    assert await subjects(box, to="example.com") == []
    assert await subjects(box, to="ada@example.com", search="Rechnung") == []


async def test_a_long_search_lets_others_run_and_survives_what_they_do():
    box = Mailbox()
    for n in range(1000):
        put(box, str(n))
    search = asyncio.create_task(box.page(1000, search="nothing of the kind"))
    await asyncio.sleep(0)
    assert not search.done()
    await box.clear()
    assert await search == []


async def test_only_the_newest_are_kept():
    box = Mailbox(keep=3)
    names = [put(box, str(n)) for n in range(5)]
    assert await subjects(box) == ["4", "3", "2"]
    assert box.count == 3
    assert await box.get(names[0]) is None
    assert (await box.page(1, names[3]))[0].subject == "2"


async def test_big_mails_push_others_out_but_never_themselves():
    box = Mailbox(keep_bytes=1000)
    put(box, "a", body="x" * 400)
    put(box, "b", body="x" * 400)
    put(box, "c", body="x" * 5000)
    assert await subjects(box) == ["c"]
    put(box, "d")
    assert await subjects(box) == ["d"]


async def test_changed_wakes_everybody_for_arrival_clearing_and_closing():
    box = Mailbox()
    start = box.revision
    waiting = [asyncio.create_task(box.changed(start)) for _ in range(3)]
    await asyncio.sleep(0)
    assert not any(task.done() for task in waiting)
    put(box)
    assert await asyncio.gather(*waiting) == [box.revision] * 3
    assert await box.changed(start) == box.revision
    later = asyncio.create_task(box.changed(box.revision))
    await asyncio.sleep(0)
    await box.clear()
    assert await later == box.revision
    last = asyncio.create_task(box.changed(box.revision))
    await asyncio.sleep(0)
    await box.aclose()
    assert await last is None


async def test_a_restart_shows_them_again(tmp_path: Path):
    box = Mailbox(tmp_path / "mail", now=lambda: 1234.5)
    name = put(box, "before", "ada@example.com")
    captured = await box.get(name)
    # No aclose: the process was killed after it had answered.
    again = Mailbox(tmp_path / "mail")
    assert await again.get(name) == captured
    assert await subjects(again) == ["before"]
    assert put(again, "after") > name
    assert await subjects(again) == ["after", "before"]
    await again.aclose()
    await again.aclose()
    await box.aclose()


async def test_only_the_owner_may_read(tmp_path: Path):
    (tmp_path / "mail").mkdir(mode=0o755)
    box = Mailbox(tmp_path / "mail")
    put(box)
    await box.aclose()
    assert stat.S_IMODE((tmp_path / "mail").stat().st_mode) == 0o700
    assert [stat.S_IMODE(f.stat().st_mode) for f in files(tmp_path / "mail")] == [0o600]


@pytest.mark.parametrize("left", [1, 5, 12, 13, 40])
async def test_a_torn_last_record_is_passed_over(tmp_path: Path, left: int):
    box = Mailbox(tmp_path)
    put(box, "one")
    [file] = files(tmp_path)
    whole = file.stat().st_size
    put(box, "two")
    await box.aclose()
    os.truncate(file, whole + left)
    box = Mailbox(tmp_path)
    assert await subjects(box) == ["one"]
    put(box, "three")
    await box.aclose()
    box = Mailbox(tmp_path)
    assert await subjects(box) == ["three", "one"]
    await box.aclose()


@pytest.mark.parametrize("place", [0, 6, 10, 30])
async def test_damage_stops_one_segment_only(tmp_path: Path, place: int):
    box = Mailbox(tmp_path, keep=2)
    for subject in ("one", "two", "three"):
        put(box, subject)
    await box.aclose()
    first = files(tmp_path)[0]
    raw = bytearray(first.read_bytes())
    raw[place] ^= 0x55
    first.write_bytes(raw)
    box = Mailbox(tmp_path, keep=2)
    assert await subjects(box) == ["three"]
    await box.aclose()


async def test_old_segments_go(tmp_path: Path):
    box = Mailbox(tmp_path, keep=10)
    for n in range(95):
        put(box, str(n))
    assert len(files(tmp_path)) <= 2
    await box.aclose()
    again = Mailbox(tmp_path, keep=10)
    assert await subjects(again) == [str(n) for n in range(94, 84, -1)]
    await again.aclose()


async def test_clear_forgets_on_disk_and_never_uses_an_identifier_again(tmp_path: Path):
    box = Mailbox(tmp_path)
    names = [put(box), put(box)]
    await box.clear()
    await box.clear()
    assert (box.count, await subjects(box)) == (0, [])
    assert [f.stat().st_size for f in files(tmp_path)] == [0]
    await box.aclose()
    again = Mailbox(tmp_path)
    assert await subjects(again) == []
    assert put(again) not in names
    assert again.count == 1
    await again.aclose()


@pytest.mark.parametrize("short", [True, False])
async def test_a_full_disk_keeps_nothing_of_the_mail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: bool):
    box = Mailbox(tmp_path)
    put(box, "before")
    real = os.writev

    def full(fd: int, parts: tuple[bytes, ...]) -> int:
        if not short:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(fd, [parts[0], parts[1][:10]])

    monkeypatch.setattr(journal.os, "writev", full)
    with pytest.raises(OSError, match="space"):
        put(box, "lost")
    monkeypatch.undo()
    assert await subjects(box) == ["before"]
    put(box, "after")
    await box.aclose()
    again = Mailbox(tmp_path)
    assert await subjects(again) == ["after", "before"]
    await again.aclose()


async def test_the_journal_has_the_mail_before_the_answer(tmp_path: Path, open_server):
    box = Mailbox(tmp_path)
    server = await open_server(box)
    reader, writer = await asyncio.open_connection(server.host, server.port)
    writer.write(
        b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\nSubject: kept\r\n\r\nx\r\n.\r\n"
    )
    name = (await reader.readuntil(b"cap_") + await reader.readexactly(8))[-12:].decode()
    second = Mailbox(tmp_path)
    assert [s.id for s in await second.page(5)] == [name]
    writer.close()
    await writer.wait_closed()
    await second.aclose()
    await box.aclose()
