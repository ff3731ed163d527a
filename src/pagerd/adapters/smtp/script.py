"""A dialogue without I/O: a generator says what to write and how many replies it wants, and is given them."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pagerd.adapters.smtp.replies import Reply

Step = tuple[bytes, int, float]
"""What to write (nothing: only read), how many replies to wait for, and how many seconds for all of them."""

Script = Generator[Step, list[Reply], None]
"""Yields steps; is sent the replies, or thrown :class:`Broken` where they don't come."""


class Broken(Exception):
    """The connection can't be used any more.

    ``replies`` are those to the step under way that were read all the same and may be believed, a 421 included
    (RFC 5321, section 3.8: it may come at any time, and ends the connection); ``by_reply`` says that it was one.
    """

    def __init__(self, code: str, text: str = "", replies: Sequence[Reply] = (), *, by_reply: bool = False) -> None:
        self.code = code
        self.text = text
        self.replies = list(replies)
        self.by_reply = by_reply
        super().__init__(code, text)
