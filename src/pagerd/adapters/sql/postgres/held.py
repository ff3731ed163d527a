"""The claims that this process holds: under which token, and until when on its own clock."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence

from pagerd.core.batches import BatchKey, Claim


class Held:
    """What lanes ask before they send. Filled by claims and renewals; used from the loop and from the renewer's thread.

    ``until`` is reckoned from before the request was sent, so that it is never later than the lease in the database.
    """

    def __init__(self) -> None:
        self._claims: dict[BatchKey, tuple[int, float]] = {}
        self._lock = threading.Lock()

    def add(self, claims: Iterable[Claim], until: float) -> None:
        """Remember claims that were just made."""
        with self._lock:
            self._claims.update((claim.key, (claim.token, until)) for claim in claims)

    def drop(self, key: BatchKey, token: int) -> None:
        """Forget a claim that is settled, given back or lost; another one of the same batch stays."""
        with self._lock:
            if self._claims.get(key, (0, 0.0))[0] == token:
                del self._claims[key]

    def all(self) -> list[tuple[BatchKey, int]]:
        """Return every claim: its batch and its token."""
        with self._lock:
            return [(key, token) for key, (token, _) in self._claims.items()]

    def renewed(self, asked: Sequence[tuple[BatchKey, int]], extended: set[BatchKey], until: float) -> None:
        """Take the answer to a renewal of ``asked``: what was not extended is over, and is nobody's here any more."""
        with self._lock:
            for key, token in asked:
                if self._claims.get(key, (0, 0.0))[0] != token:
                    continue
                if key in extended:
                    self._claims[key] = (token, until)
                else:
                    del self._claims[key]

    def end(self, otherwise: float) -> float:
        """Return until when all claims are certainly ours; ``otherwise`` where there are none."""
        with self._lock:
            return min((until for _, until in self._claims.values()), default=otherwise)

    def holds(self, key: BatchKey, token: int) -> bool:
        """Tell whether a claim is ours as far as this process knows."""
        with self._lock:
            return self._claims.get(key, (0, 0.0))[0] == token

    def by_session(self) -> Counter[int]:
        """Return how many batches of each session are under way here."""
        with self._lock:
            return Counter(key.session for key in self._claims)

    def certain(self, sessions: set[int], but: set[BatchKey], until: float) -> set[int]:
        """Return those of ``sessions`` of which a batch that is not in ``but`` is certainly ours up to ``until``."""
        with self._lock:
            items = list(self._claims.items())
        return {key.session for key, (_, end) in items if key.session in sessions and key not in but and end > until}
