"""One request under way: who asks, and the stages it may call."""

from __future__ import annotations

from typing import Any, cast

from litestar import Request
from litestar.datastructures import State

from pagerd.api.stages import Stages
from pagerd.api.verbs import Principal
from pagerd.core.requests import Asker

Call = Request[Principal, Any, State]
"""A request that the guard let through: ``user`` is its principal."""


def stages_of(call: Call) -> Stages:
    """Return the stages of the application that the request came to."""
    return cast("Stages", call.app.state["stages"])


def asker(call: Call) -> Asker:
    """Return who asks, in the stages' words."""
    principal = call.user
    return Asker(
        workspace=principal.workspace,
        key=principal.key_id,
        live=principal.live,
        sees_addresses="recipient.read_pii" in principal.scopes,
    )
