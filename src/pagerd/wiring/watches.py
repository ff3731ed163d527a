"""Several watches as one."""

from __future__ import annotations

import msgspec

from pagerd.ports.watch import BatchDone, Watch


class Together(msgspec.Struct, frozen=True):
    """Tells every watch."""

    watches: tuple[Watch, ...]

    def batch_done(self, done: BatchDone) -> None:
        """Tell all."""
        for watch in self.watches:
            watch.batch_done(done)

    def claimed(self, batches: int) -> None:
        """Tell all."""
        for watch in self.watches:
            watch.claimed(batches)

    def trouble(self, what: str, error: BaseException) -> None:
        """Tell all."""
        for watch in self.watches:
            watch.trouble(what, error)
