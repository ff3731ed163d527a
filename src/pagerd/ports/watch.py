"""Tiny observers of the way of a batch: for logs, metrics and traces. None of them sees an address."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from pagerd.core.states import BatchState


class BatchDone(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one claim of a batch: ``kinds`` counts outcomes by class, ``seconds`` since it was claimed."""

    session: str
    no: int
    token: int
    state: BatchState
    people: int
    kinds: Mapping[str, int]
    provider: str
    seconds: float


class Watch(Protocol):
    """Is told; must be quick, and must not raise."""

    def batch_done(self, done: BatchDone) -> None:
        """Take note that a worker let go of a batch: settled, or put off."""
        ...

    def claimed(self, batches: int) -> None:
        """Take note that a worker claimed so many batches."""
        ...

    def trouble(self, what: str, error: BaseException) -> None:
        """Take note of what went wrong and no caller hears of."""
        ...
