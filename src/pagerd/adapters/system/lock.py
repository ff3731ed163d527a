"""The lock on a data directory: one server process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pagerd.core.errors import Misconfigured


class DirectoryLock:
    """Holds a data directory for this process; the kernel lets it go when the process ends, however it ends."""

    def __init__(self, directory: Path) -> None:
        """Take the lock, making the directory if need be; raise :class:`Misconfigured` with what stands in the way."""
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = os.open(directory / "pagerd.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Misconfigured(
                f"the data directory {directory} can't be used: {error.strerror}",
                code="data_directory",
                remedy="Make it, or give it to the user who runs pagerd (chown), or name another one (--data).",
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._file, 32).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise Misconfigured(
                f"the data directory {directory} is used by another process (pid {holder})",
                code="data_directory_in_use",
                remedy="Stop that process, or name another directory (--data).",
            ) from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let the directory go; twice is harmless."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
