"""Who a server runs as: PostgreSQL and PgBouncer refuse root, so for root there is another account."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_ACCOUNTS = ("postgres", "nobody")
_PLACE = "place"


def other_than_root() -> str | None:
    """Return the account for a server that refuses root; ``None`` where this process is not root."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise OSError(f"none of the accounts {', '.join(_ACCOUNTS)} exists")


def place_for(account: str | None, folder: Path) -> Path:
    """Return where the account may keep its data: in ``folder`` if it can get there, else in the system's temp folder.

    The place is the same every time for the same folder; it is made where it is missing.
    """
    if account is None:
        return folder
    remembered = folder / _PLACE
    if remembered.exists() and _belongs(place := Path(remembered.read_text("utf-8")), account):
        return place
    if _reaches(account, folder):
        place = folder / "own"
        place.mkdir(mode=0o700)
    else:
        place = Path(tempfile.mkdtemp(prefix="pagerd-server-"))
    shutil.chown(place, account, pwd.getpwnam(account).pw_gid)
    remembered.write_text(str(place), "utf-8")
    return place


def give_up(folder: Path) -> None:
    """Remove the place that was made outside of ``folder``, if one was."""
    remembered = folder / _PLACE
    if remembered.exists():
        shutil.rmtree(remembered.read_text("utf-8"), ignore_errors=True)
        remembered.unlink()


def as_account(account: str | None) -> dict[str, Any]:
    """Return what :class:`subprocess.Popen` is told to run a program as that account."""
    if account is None:
        return {}
    entry = pwd.getpwnam(account)
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": ()}


@contextlib.contextmanager
def hidden(text: str, account: str | None, folder: Path) -> Iterator[Path]:
    """Give a file that only the account can read, for as long as it is needed."""
    with tempfile.NamedTemporaryFile("w", dir=folder, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        if account is not None:
            shutil.chown(file.name, account)
        yield Path(file.name)


def _belongs(place: Path, account: str) -> bool:
    """Temp folders are emptied, and then anybody may make one of that name."""
    try:
        found = place.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == pwd.getpwnam(account).pw_uid


def _reaches(account: str, folder: Path) -> bool:
    """Ask the system, which knows more than the mode bits do."""
    words = ["test", "-x", str(folder.resolve())]
    done = subprocess.run(words, check=False, cwd="/", **as_account(account))
    return done.returncode == 0
