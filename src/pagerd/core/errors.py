"""Every error that Pager raises on purpose, in one tree.

::

    PagerError
    ├── Refused            the request can't be carried out; the asker can mend it
    │   ├── Malformed      it could not be read
    │   ├── Invalid        it was read and is wrong; carries every fault found
    │   ├── Missing        the named thing does not exist (or is not yours)
    │   ├── WrongState     the thing exists but is not in a state that allows this
    │   ├── Conflict       something else stands in the way
    │   ├── TooLarge       a stated limit is exceeded
    │   ├── Unauthenticated, Forbidden
    │   └── NotSupportedYet
    ├── Unavailable        Pager can't do it now; asking again later can succeed
    └── Broken             something Pager relies on is not as it must be
        ├── Misconfigured  a setting, a file or a right is wrong
        └── SealBroken     a ciphertext did not open: wrong key, wrong place or tampering

The docstring of a class is its message when none is given. HTTP status codes live in ``api`` only.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that is wrong with an input, and where.

    ``pointer`` is a JSON Pointer (RFC 6901) into a body; ``line`` counts from 1 in a file; ``column`` counts
    characters from 1; ``part`` names a template's part (``subject``, ``html``, ``text``).
    """

    code: str
    detail: str
    pointer: str | None = None
    line: int | None = None
    column: int | None = None
    variant: str | None = None
    part: str | None = None
    excerpt: str | None = None


class PagerError(Exception):
    """Something went wrong in Pager."""

    code = "error"

    def __init__(self, detail: str = "", *, code: str = "", remedy: str = "") -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        self.code = code or type(self).code
        self.remedy = remedy
        super().__init__(self.detail)


class Refused(PagerError):
    """The request can't be carried out as it stands."""

    code = "refused"


class Malformed(Refused):
    """The input could not be read."""

    code = "malformed"

    def __init__(self, detail: str = "", *, code: str = "", faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail, code=code)
        self.faults = tuple(faults)


class Invalid(Refused):
    """The input was read, and something in it is wrong."""

    code = "invalid"
    SHOWN = 100

    def __init__(
        self, detail: str = "", *, faults: Sequence[Fault] = (), count: int | None = None, code: str = ""
    ) -> None:
        """Keep the first 100 ``faults``; ``count`` says how many there were in all."""
        super().__init__(detail or (faults[0].detail if faults else ""), code=code)
        self.faults = tuple(faults[: self.SHOWN])
        self.count = len(faults) if count is None else count


class Missing(Refused):
    """There is no such thing here."""

    code = "not_found"


class WrongState(Refused):
    """The thing is not in a state that allows this."""

    code = "wrong_state"

    def __init__(self, detail: str = "", *, current: str, code: str = "") -> None:
        super().__init__(detail, code=code)
        self.current = current


class Gone(Refused):
    """It existed, and can't be used any more."""

    code = "gone"


class Conflict(Refused):
    """Something else stands in the way."""

    code = "conflict"

    def __init__(self, detail: str = "", *, code: str = "", retry_after: int | None = None) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class TooLarge(Refused):
    """A stated limit is exceeded."""

    code = "too_large"


class Unauthenticated(Refused):
    """The request carries no valid key."""

    code = "unauthenticated"


class Forbidden(Refused):
    """The key does not have the permission."""

    code = "forbidden"


class NotSupportedYet(Refused):
    """This is part of the interface, but not built yet."""

    code = "not_supported_yet"


class Unavailable(PagerError):
    """Pager can't do this now; asking again later can succeed."""

    code = "unavailable"

    def __init__(self, detail: str = "", *, code: str = "", retry_after: int = 5) -> None:
        super().__init__(detail, code=code)
        self.retry_after = retry_after


class Broken(PagerError):
    """Something that Pager relies on is not as it must be."""

    code = "broken"


class Misconfigured(Broken):
    """A setting, a file or a right is wrong."""

    code = "misconfigured"


class SealBroken(Broken):
    """A ciphertext did not open: wrong key, wrong place, or somebody changed it."""

    code = "seal_broken"
