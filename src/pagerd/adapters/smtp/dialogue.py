"""What is known about a batch while it is handed over; in the end one outcome per message, whatever happened.

The rule of the fence lives here: before the write that holds a message's last byte it is *not sent*; from that write
on it is *in doubt* until its answer is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from pagerd.adapters.smtp.abilities import Abilities
from pagerd.adapters.smtp.classes import LOCAL, Phase, classify
from pagerd.adapters.smtp.envelope import Parcel, Unfit, parcel
from pagerd.adapters.smtp.replies import Reply, reference_of, words_of
from pagerd.adapters.smtp.script import Broken
from pagerd.core.messages import Message
from pagerd.core.outcomes import FailureClass, Outcome
from pagerd.ports.provider import Fence

Slot = tuple[Phase, int]
"""What a reply will answer: a phase of the message at an index."""


class Dialogue:
    """The outcomes of one batch, as they become known.

    ``unanswered`` holds the messages whose last byte is written and not answered, ``expects`` what the replies of the
    step under way will answer; ``heard`` is set once the peer has answered anything in this batch.
    """

    def __init__(self, messages: Sequence[Message], fence: Fence, now: Callable[[], float] = time.time) -> None:
        self.messages = messages
        self.unanswered: list[int] = []
        self.expects: Sequence[Slot] = ()
        self.heard = False
        self.stale = False
        self._outcomes: list[Outcome | None] = [None] * len(messages)
        self._fence = fence
        self._now = now
        self._halt = ""
        self._starts = [now()] * len(messages)

    @property
    def halted(self) -> bool:
        """Whether no further last byte may leave."""
        return bool(self._halt)

    def open(self, index: int) -> bool:
        """Tell whether a message has no outcome yet."""
        return self._outcomes[index] is None

    def parcels(self, abilities: Abilities, most: int) -> Iterator[Parcel]:
        """Iterate over the messages that have no outcome yet, made ready; unfit ones get theirs on the way."""
        for index, message in enumerate(self.messages):
            if self._outcomes[index] is None:
                self._starts[index] = self._now()
                try:
                    ready = parcel(index, message, abilities, most)
                except Unfit as unfit:
                    self._put(index, LOCAL[unfit.code], unfit.code)
                else:
                    yield ready

    def halt(self, code: str) -> None:
        """Let no further last byte out; ``code`` says why: ``fence``, ``cancelled`` or ``closed``."""
        self._halt = self._halt or code

    def may_finish(self, index: int) -> bool:
        """Ask the fence, just before the write that holds a message's last byte; a yes puts the message in doubt.

        A fence that raises has fallen: without a clear yes nothing leaves.
        """
        if not self._halt:
            try:
                stands = self._fence()
            except Exception:  # noqa: BLE001 - whatever it was, it was no yes
                stands = False
            if stands:
                self.unanswered.append(index)
                return True
            self._halt = "fence"
        return False

    def answered(self, index: int, reply: Reply) -> None:
        """Take the answer to a message's last byte; what can't be one (3xx) leaves it in doubt."""
        if reply[0] == 50:
            self.unanswered.remove(index)
            words = words_of(reply)
            self._put(index, FailureClass.OK, reply[:3].decode("ascii"), words, reference_of(words))
        elif reply[0] > 51:
            self.refused(index, Phase.END, reply)

    def refused(self, index: int, phase: Phase, reply: Reply) -> None:
        """Take a refusal: nobody gets this message, even if its last byte was written."""
        if index in self.unanswered:
            self.unanswered.remove(index)
        kind, code = classify(phase, reply)
        self._put(index, kind, code, words_of(reply))

    def settle(self, replies: Sequence[Reply]) -> None:
        """Take the replies to the step under way, each for its slot; there may be fewer of them."""
        for (phase, index), reply in zip(self.expects, replies, strict=False):
            if self._outcomes[index] is not None:
                continue
            if phase is Phase.END:
                self.answered(index, reply)
            elif reply[0] > 51 and (phase is not Phase.RESET or reply.startswith(b"421")):
                self.refused(index, phase, reply)

    def broke(self, broken: Broken) -> None:
        """Take the end of the connection: what was read counts, what left unanswered is in doubt, the rest is not sent.

        Where nothing is in doubt, the message whose envelope was under way failed on its own account, so that one
        that breaks connections does not try for ever; a 421 has already named whom it refused.
        """
        self.settle(broken.replies)
        suspects = [] if self.unanswered or self._halt or broken.by_reply else [index for _, index in self.expects]
        for index in suspects[-1:]:
            if self._outcomes[index] is None:
                self._put(index, LOCAL.get(broken.code, FailureClass.TRANSIENT), broken.code, broken.text)
        self.end(broken.code, broken.text)

    def end(self, code: str, text: str = "", kind: FailureClass = FailureClass.NOT_SENT) -> None:
        """Close what is open: in doubt where the last byte was written, else of ``kind``."""
        for index in self.unanswered:
            self._put(index, FailureClass.IN_DOUBT, code, text)
        self.unanswered = []
        if self._halt:
            code, kind = self._halt, FailureClass.NOT_SENT
        for index, outcome in enumerate(self._outcomes):
            if outcome is None:
                self._put(index, kind, code, text)

    def result(self) -> list[Outcome]:
        """Return one outcome per message, in order; what is still open had not left."""
        self.end("internal_error")
        return [outcome for outcome in self._outcomes if outcome is not None]

    def _put(self, index: int, kind: FailureClass, code: str, text: str = "", reference: str = "") -> None:
        """Write an outcome down."""
        self._outcomes[index] = Outcome(
            place=self.messages[index].place,
            kind=kind,
            code=code,
            text=text,
            reference=reference,
            started=self._starts[index],
            ended=self._now(),
        )
