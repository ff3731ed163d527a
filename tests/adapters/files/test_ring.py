"""The root key file: made once, kept to its owner, and clear words where it is not as it must be."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pagerd.adapters.files.ring import FileKeyRing
from pagerd.core.errors import Misconfigured, SealBroken


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "root.key"


def written(path: Path, text: str, mode: int = 0o600) -> FileKeyRing:
    path.write_text(text)
    path.chmod(mode)
    return FileKeyRing(path)


def made(path: Path, mode: int = 0o600) -> FileKeyRing:
    FileKeyRing(path).create()
    path.chmod(mode)
    return FileKeyRing(path)


def loop(path: Path) -> None:
    path.symlink_to(path)


def remove(path: Path) -> None:
    path.unlink()


def keys_of(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if not line.startswith("#")]


def test_a_new_file_holds_one_key_and_says_what_it_is(path: Path) -> None:
    FileKeyRing(path).create()
    (key,) = keys_of(path)
    assert len(bytes.fromhex(key)) == 32
    assert path.read_text().startswith("# Root key of a pagerd installation")
    assert path.read_text().endswith("\n")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o177])
def test_only_its_owner_may_read_it_whatever_the_umask(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        FileKeyRing(path).create()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_it_is_never_overwritten(path: Path) -> None:
    FileKeyRing(path).create()
    before = path.read_bytes()
    with pytest.raises(Misconfigured, match="never overwritten"):
        FileKeyRing(path).create()
    assert path.read_bytes() == before


def test_it_is_never_made_through_a_dangling_link(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Misconfigured):
        FileKeyRing(path).create()
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file or directory"):
        FileKeyRing(tmp_path / "none" / "root.key").create()


def test_file_and_folder_are_synced(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    real = os.fsync

    def watch(handle: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{handle}").readlink()))
        real(handle)

    monkeypatch.setattr(os, "fsync", watch)
    FileKeyRing(path).create()
    assert synced == [str(path), str(path.parent)]


def test_a_full_disk_leaves_no_half_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Misconfigured, match="No space left"):
        FileKeyRing(path).create()
    assert not path.exists()


async def test_a_second_process_unwraps(path: Path) -> None:
    FileKeyRing(path).create()
    wrapped = await FileKeyRing(path).wrap(b"key", b"context")
    assert await FileKeyRing(path).unwrap(wrapped, b"context") == b"key"


async def test_a_missing_file_says_how_to_get_one(path: Path) -> None:
    with pytest.raises(Misconfigured, match="there is no root key file") as missing:
        await FileKeyRing(path).ping()
    assert "pagerd keys create" in missing.value.remedy
    assert "restore it from your backup" in missing.value.remedy


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o777])
async def test_a_file_open_to_others_is_refused_with_the_command_that_mends_it(path: Path, mode: int) -> None:
    with pytest.raises(Misconfigured, match=f"{mode:04o}") as exposed:
        await made(path, mode).ping()
    assert exposed.value.remedy == f"chmod 600 {path}"


async def test_a_file_that_its_owner_made_read_only_is_fine(path: Path) -> None:
    assert await made(path, 0o400).wrap(b"key", b"context")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no key"),
        ("# only words\n\n", "holds no key"),
        ("a" * 63 + "\n", "line 1 .* 63 characters"),
        ("a" * 65 + "\n", "line 1 .* 65 characters"),
        ("g" * 64 + "\n", "line 1"),
        ("# words\n" + "a" * 64 + "\n" + "b" * 10 + "\n", "line 3 .* 10 characters"),
        ("ä" * 32 + "\n", "line 1"),
        ("0x" + "a" * 62 + "\n", "line 1"),
    ],
)
async def test_a_wrong_file_says_which_line_and_never_what_it_holds(path: Path, text: str, words: str) -> None:
    with pytest.raises(Misconfigured, match=words) as wrong:
        await written(path, text).ping()
    assert "restore" in wrong.value.remedy
    assert "aaaa" not in wrong.value.detail
    assert "bbbb" not in wrong.value.detail


@pytest.mark.parametrize(
    "text",
    ["A1" * 32, "a1" * 32 + "\n", "a1" * 32 + "\r\n", "\n# words\n  " + "a1" * 32 + "  \n\n"],
    ids=["no newline", "plain", "CRLF", "spaces"],
)
async def test_what_people_s_editors_do_is_harmless(path: Path, text: str) -> None:
    wrapped = await written(path, "a1" * 32).wrap(b"key", b"context")
    assert await written(path, text).unwrap(wrapped, b"context") == b"key"


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["folder", "pipe"])
async def test_what_is_not_a_file_is_refused(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    with pytest.raises(Misconfigured, match="is not a file"):
        await FileKeyRing(path).ping()


async def test_what_the_system_refuses_is_named(path: Path) -> None:
    loop(path)
    with pytest.raises(Misconfigured, match="Too many levels of symbolic links") as unusable:
        await FileKeyRing(path).ping()
    assert "give the user that runs pagerd the right" in unusable.value.remedy


async def test_the_newest_key_wraps_and_older_ones_still_unwrap(path: Path) -> None:
    old, new = "0a" * 32, "0b" * 32
    by_old = await written(path, f"{old}\n").wrap(b"key", b"context")
    both = written(path, f"# newest first\n{new}\n{old}\n")
    by_new = await both.wrap(b"key", b"context")
    assert await both.unwrap(by_old, b"context") == b"key"
    assert await written(path, f"{new}\n").unwrap(by_new, b"context") == b"key"
    with pytest.raises(SealBroken):
        await written(path, f"{old}\n").unwrap(by_new, b"context")


async def test_another_root_key_is_named_without_trying(path: Path) -> None:
    wrapped = await written(path, "0a" * 32).wrap(b"key", b"context")
    with pytest.raises(SealBroken, match=f"wrapped by root key [0-9a-f]{{16}}; {path} holds [0-9a-f]{{16}}"):
        await written(path, "0b" * 32).unwrap(wrapped, b"context")


async def test_a_file_lost_while_running_does_not_stop_the_process(path: Path) -> None:
    ring = made(path)
    wrapped = await ring.wrap(b"key", b"context")
    remove(path)
    assert await ring.unwrap(wrapped, b"context") == b"key"
    await ring.ping()
