"""The root key in a file that only its owner can read.

One key a line, 64 hexadecimal digits, newest first; the newest wraps, every one unwraps. Empty lines and lines that
begin with ``#`` are for people. A wrapped key is::

    "PGRR" ‖ version 1 ‖ root key id (8) ‖ nonce (12) ‖ ciphertext ‖ tag (16)

AES-256-GCM with the context as associated data. A root key's id is computed from the key, so that the file needs
no names and a wrong file is recognised before anything is tried.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pagerd.core.errors import Misconfigured, SealBroken

CREATE: Final = "pagerd keys create"
"""The command that makes a root key file."""

_WORDS: Final = """\
# Root key of a pagerd installation. Whoever has it can read what the installation sealed;
# without it nobody can. Keep a copy in a safe place, apart from the database's backups.
"""
_MAGIC: Final = b"PGRR\x01"
_ID: Final = 8
_NONCE: Final = len(_MAGIC) + _ID
_BODY: Final = _NONCE + 12


class FileKeyRing:
    """The ring whose root keys are in a local file. The file is read on first use, and then no more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: dict[bytes, AESGCM] = {}

    def create(self) -> None:
        """Make the file with a new random key, readable by its owner alone, durable before this returns.

        Raise :class:`Misconfigured` where there is a file already (it is never overwritten) or it can't be made.
        """
        text = f"{_WORDS}{os.urandom(32).hex()}\n"
        try:
            handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            raise Misconfigured(f"there is a root key file already: {self._path}; it is never overwritten") from None
        except OSError as error:
            raise _unusable(self._path, error) from error
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(handle, 0o600)
                file.write(text.encode())
                file.flush()
                os.fsync(handle)
        except OSError as error:
            self._path.unlink()
            raise _unusable(self._path, error) from error
        _sync_directory(self._path.absolute().parent)

    async def wrap(self, key: bytes, context: bytes) -> bytes:
        """Return ``key`` wrapped under the newest root key, bound to ``context``."""
        root, aead = next(iter(self._loaded().items()))
        nonce = os.urandom(12)
        return _MAGIC + root + nonce + aead.encrypt(nonce, key, context)

    async def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        """Return the key; raise :class:`SealBroken` for another context, another ring, or a changed byte."""
        if not wrapped.startswith(_MAGIC) or len(wrapped) < _BODY:
            raise SealBroken("this was not wrapped by a root key file")
        keys, root = self._loaded(), wrapped[len(_MAGIC) : _NONCE]
        if root not in keys:
            here = ", ".join(key.hex() for key in keys)
            raise SealBroken(f"it was wrapped by root key {root.hex()}; {self._path} holds {here}")
        try:
            return keys[root].decrypt(wrapped[_NONCE:_BODY], wrapped[_BODY:], context)
        except InvalidTag:
            raise SealBroken("a wrapped key did not open: it was changed, or it is for another use") from None

    async def ping(self) -> None:
        """Return when the keys are read; raise :class:`Misconfigured` with the remedy if they can't be."""
        self._loaded()

    def _loaded(self) -> dict[bytes, AESGCM]:
        """Return the root keys by id, newest first."""
        if not self._keys:
            self._keys = {_id(key): AESGCM(key) for key in _parsed(self._path, _read(self._path))}
        return self._keys


def _id(key: bytes) -> bytes:
    """Return a root key's id, which tells nothing about the key."""
    return hashlib.blake2b(key=key, digest_size=_ID, person=b"root key id").digest()


def _read(path: Path) -> str:
    """Return the file's text; refuse one that others may read (checked on the open file, not on its name)."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise Misconfigured(
            f"there is no root key file {path}",
            code="key_file_missing",
            remedy=f"on a new installation make it with `{CREATE}`; on an old one restore it from your backup: "
            "a new key can't read old data",
        ) from None
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        _check_mode(path, os.fstat(handle).st_mode)
        return os.read(handle, 65_536).decode("ascii", "replace")
    finally:
        os.close(handle)


def _check_mode(path: Path, mode: int) -> None:
    """Refuse what is not a file, and a file that anybody but its owner has a right to."""
    if not stat.S_ISREG(mode):
        raise Misconfigured(f"the root key file {path} is not a file", code="key_file_unusable")
    if mode & 0o077:
        raise Misconfigured(
            f"the root key file {path} is open to others than its owner (mode {stat.S_IMODE(mode):04o})",
            code="key_file_exposed",
            remedy=f"chmod 600 {path}",
        )


def _parsed(path: Path, text: str) -> list[bytes]:
    """Return the keys of a file, newest first; say which line is wrong, never what it holds."""
    keys: list[bytes] = []
    for number, line in enumerate(text.splitlines(), 1):
        word = line.strip()
        if word and not word.startswith("#"):
            keys.append(_key(path, number, word))
    if not keys:
        raise Misconfigured(
            f"the root key file {path} holds no key",
            code="key_file_wrong",
            remedy=f"restore it from your backup; if nothing was ever sealed with it, delete it and run `{CREATE}`",
        )
    return keys


def _key(path: Path, number: int, word: str) -> bytes:
    """Return the key that one line spells."""
    if len(word) == 64:
        try:
            return bytes.fromhex(word)
        except ValueError:
            pass
    raise Misconfigured(
        f"line {number} of the root key file {path} is not a key: 64 hexadecimal digits are wanted, here are "
        f"{len(word)} characters",
        code="key_file_wrong",
        remedy="restore the file from your backup",
    )


def _unusable(path: Path, error: OSError) -> Misconfigured:
    """Return the error for a file that the system does not let us use."""
    return Misconfigured(
        f"the root key file {path} can't be used: {error.strerror}",
        code="key_file_unusable",
        remedy="give the user that runs pagerd the right to it, or set another path",
    )


def _sync_directory(folder: Path) -> None:
    """Make a new name in a folder survive a power loss."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
