"""Who this installation is, to the servers that it may share with others; and since which restore."""

from __future__ import annotations

import msgspec

from pagerd.ports.store import Store, Work
from pagerd.ports.time import Chance

_FACT = "installation"


class Identity(msgspec.Struct, frozen=True, array_like=True):
    """``installation`` never changes; ``generation`` is another one after each restore."""

    installation: bytes
    generation: bytes

    @property
    def prefix(self) -> str:
        """What the names of everything shared begin with: nothing from before a restore is found again."""
        return f"pagerd:{self.installation.hex()[:16]}:{self.generation.hex()[:16]}:"


async def identity(store: Store, chance: Chance, *, restored: bool = False) -> Identity:
    """Return who the installation is, the same in every process; made at its first start, renewed when ``restored``."""
    fresh = chance.new_id()

    def change(work: Work) -> Identity:
        raw = work.facts.get(_FACT)
        known = None if raw is None else msgspec.msgpack.decode(raw, type=Identity)
        if known is not None and not restored:
            return known
        made = Identity(known.installation if known else fresh, fresh)
        work.facts.set(_FACT, msgspec.msgpack.encode(made))
        return made

    raw = await store.read(lambda work: work.facts.get(_FACT))
    if raw is not None and not restored:
        return msgspec.msgpack.decode(raw, type=Identity)
    return await store.work(change)
