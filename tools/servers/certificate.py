"""Certificates of an hour's use: made at run time, so that no key is ever in the repository."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from .process import program


@dataclass(frozen=True)
class Certificate:
    """A certificate that is its own authority, and its key; both PEM files."""

    chain: Path
    key: Path


def certificate(folder: Path, *names: str) -> Certificate:
    """Make a certificate for these names: ``DNS:…`` and ``IP:…``; those of this machine where none is said."""
    folder.mkdir(parents=True, exist_ok=True)
    made = Certificate(folder / "chain.pem", folder / "key.pem")
    command = [program("openssl", "openssl"), "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=pagerd test"]
    command += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-addext", f"subjectAltName={','.join(names or ('DNS:localhost', 'IP:127.0.0.1'))}"]
    command += ["-keyout", str(made.key), "-out", str(made.chain)]
    subprocess.run(command, check=True, capture_output=True)
    return made
