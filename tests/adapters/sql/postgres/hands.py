"""What a lane does with a claim, as short as it can be said."""

from __future__ import annotations

from typing import Any

from pagerd.core import balance, cells
from pagerd.core.batches import Claim
from pagerd.core.cells import Cell
from pagerd.core.policy import Priority
from pagerd.core.states import BatchState, RecipientState
from pagerd.ports.ledger import Ledger, Said, Want, Write


async def claimed(process: Any, n: int = 1, **want: Any) -> list[Claim]:
    wanted = Want(**({"priority": Priority.BULK, "batches": n} | want))
    claims: list[Claim] = await process.ledger.claim(process.worker, [wanted])
    return claims


def intent(claim: Claim) -> Write:
    """Everybody is being sent to."""
    people = [cell._replace(state=RecipientState.SENDING) for cell in cells.unpack(claim.vec)]
    vec = cells.pack(people)
    change = balance.change((BatchState.CLAIMED, claim.vec), (BatchState.DISPATCHING, vec))
    return Write(
        key=claim.key, token=claim.token, state=BatchState.DISPATCHING, vec=vec, counts=change, needs_running=True
    )


def outcome(claim: Claim, before: BatchState = BatchState.DISPATCHING) -> Write:
    """Everybody has been told, and the batch is settled."""
    earlier = intent(claim).vec if before is BatchState.DISPATCHING else claim.vec
    vec = cells.pack(Cell(RecipientState.ACCEPTED) for _ in cells.unpack(claim.vec))
    change = balance.change((before, earlier), (BatchState.SUCCEEDED, vec))
    return Write(key=claim.key, token=claim.token, state=BatchState.SUCCEEDED, vec=vec, counts=change, attempt=b"told")


async def worked(ledger: Ledger, claim: Claim) -> Said:
    """Intend, then settle; return what became of the second."""
    await ledger.flush([intent(claim)])
    return (await ledger.flush([outcome(claim)]))[0]
