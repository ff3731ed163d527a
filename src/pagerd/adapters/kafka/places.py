"""How far a partition is done: acknowledgements come in any order, and only what is done in a row is committed."""

from __future__ import annotations

from collections import deque


class Place:
    """One partition as long as it is ours. Not safe for threads: whoever uses it holds the consumer's lock."""

    __slots__ = ("_done", "_open", "_reached", "committed", "ours", "partition", "topic")

    def __init__(self, topic: str, partition: int) -> None:
        self.topic = topic
        self.partition = partition
        self.ours = True
        self.committed: int | None = None
        self._reached: int | None = None
        self._open: deque[int] = deque()
        self._done: set[int] = set()

    def taken(self, offset: int) -> None:
        """Take note of a record that was read, in the order of the partition."""
        self._open.append(offset)

    def done(self, offset: int) -> None:
        """Take note that a record need not come again. Twice, or after the partition went to another, is harmless."""
        if not self.ours or not self._open or offset < self._open[0]:
            return
        self._done.add(offset)
        while self._open and self._open[0] in self._done:
            self._reached = self._open.popleft() + 1
            self._done.discard(self._reached - 1)

    def dropped(self, offset: int) -> None:
        """Forget a record that nobody was handed; those behind it are dropped, too: it comes again."""
        while self._open and self._open[-1] >= offset:
            self._open.pop()

    @property
    def held(self) -> int:
        """How many records are under way."""
        return len(self._open)

    def to_commit(self) -> int | None:
        """Return the offset to commit, ``None`` where it is committed already."""
        return None if self._reached == self.committed else self._reached
