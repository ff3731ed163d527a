"""A batch under way: what a claim hands to a worker, and the only thing on which session and worker meet."""

from __future__ import annotations

import msgspec

from pagerd.core.states import BatchState


class BatchKey(msgspec.Struct, frozen=True, array_like=True, order=True):
    """Names a batch inside one store: the session's row number and the batch's number from 1."""

    session: int
    no: int


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A worker's right to a batch, and everything it needs to start.

    ``token`` grows with each claim: every write of the worker carries it. ``vec`` is the vector as the claim
    committed it (doubts of older tokens already resolved); ``payload`` is the sealed audience data, ``payload_at``
    names it for the seal; ``losses`` counts claims of this batch that were lost, so that a worker knows when to be
    careful; ``round`` says which run of the session this is.
    """

    key: BatchKey
    token: int
    vec: bytes
    payload: bytes
    payload_at: bytes
    losses: int
    round: int
    state: BatchState = BatchState.CLAIMED
