"""Why no connection is ready to carry mail."""

from __future__ import annotations

from pagerd.adapters.smtp.classes import LOCAL, Phase, classify
from pagerd.adapters.smtp.replies import Reply, words_of
from pagerd.core.outcomes import FailureClass


class Refusal(Exception):
    """A connection could not be made ready: nothing was sent, and ``kind`` says what that means for the batch."""

    def __init__(self, kind: FailureClass, code: str, text: str = "") -> None:
        self.kind = kind
        self.code = code
        self.text = text
        super().__init__(kind, code, text)

    @classmethod
    def of(cls, phase: Phase, reply: Reply) -> Refusal:
        """Return the refusal that a reply is; one that is neither yes nor no is a bad reply."""
        if reply[0] < 52:
            return cls.local("bad_reply", words_of(reply))
        kind, code = classify(phase, reply)
        return cls(kind, code, words_of(reply))

    @classmethod
    def local(cls, code: str, text: str = "") -> Refusal:
        """Return the refusal that no reply said; ``code`` is a key of ``classes.LOCAL``."""
        return cls(LOCAL.get(code, FailureClass.TRANSIENT), code, text)
