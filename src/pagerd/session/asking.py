"""From a request to a plan: everything that can be checked before the audience is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from pagerd.audience.variables import Coercer
from pagerd.core.errors import Fault, Invalid
from pagerd.core.policy import Channel, OnDoubt, OnInvalid, Priority, SessionSpec
from pagerd.core.requests import MessageRequest, SessionRequest
from pagerd.render.senders import check_sms_sender
from pagerd.route.carrier import Carrier
from pagerd.route.providers import Providers
from pagerd.templates.library import Templates
from pagerd.templates.views import Pinned

DEFAULT_BATCH: Final = 5
_LONGEST_TTL: Final = 366 * 86_400


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a session will be: its spec, its template, when it may be sent, and how people's data is checked."""

    spec: SessionSpec
    pinned: Pinned
    coercer: Coercer
    priority: Priority
    send_at: float | None
    expires_at: float | None


class Planner:
    """Resolves requests against templates and providers."""

    def __init__(self, templates: Templates, providers: Providers, batch_size: int = DEFAULT_BATCH) -> None:
        """``batch_size`` is the installation's; a template's goes before it, a session's before both."""
        self._templates = templates
        self._providers = providers
        self._batch_size = batch_size

    async def session(self, workspace: int, request: SessionRequest, now: float) -> Plan:
        """Return the plan of a session; raise :class:`Invalid` with everything that is wrong."""
        pinned = await self._templates.pinned(workspace, request.template)
        size = request.batch_size or pinned.compiled.draft.batch_size or self._batch_size
        return self._plan(pinned, request, size, request.priority, request.send_at, request.on_invalid, now)

    async def message(self, workspace: int, request: MessageRequest, now: float) -> Plan:
        """Return the plan of a single message: a session of one batch of one."""
        pinned = await self._templates.pinned(workspace, request.template)
        alone = msgspec.structs.replace(request, data={})  # one person's data is their own, nobody shares it
        return self._plan(pinned, alone, 1, Priority.URGENT, None, OnInvalid.FAIL, now)

    def _plan(
        self,
        pinned: Pinned,
        request: SessionRequest | MessageRequest,
        batch_size: int,
        priority: Priority,
        send_at: float | None,
        on_invalid: OnInvalid,
        now: float,
    ) -> Plan:
        faults: list[Fault] = []
        channel = _channel(pinned, request.channel, faults)
        carrier = self._carrier(channel, faults)
        sender = None if channel is None or carrier is None else _sender(pinned, request, channel, carrier, faults)
        if channel and sender is not None:
            faults += _unusable_headers(pinned, channel, sender, request)
        coercer = Coercer(pinned.compiled.variables, request.data)
        shared = _shared(pinned, request.data, faults)
        expires_at = _expiry(request, now, send_at, faults)
        if faults or channel is None or sender is None or carrier is None:
            raise Invalid(faults=faults)
        spec = SessionSpec(
            template=pinned.name,
            version=pinned.version,
            channel=channel,
            sender=sender,
            batch_size=batch_size,
            data=shared,
            reply_to=(request.reply_to or pinned.compiled.draft.reply_to) if channel is Channel.EMAIL else None,
            on_invalid=on_invalid,
            on_doubt=OnDoubt(request.on_doubt),
            locale=request.locale,
            region=carrier.region,
            reference=request.reference,
            metadata=request.metadata,
        )
        return Plan(
            spec=spec, pinned=pinned, coercer=coercer, priority=priority, send_at=send_at, expires_at=expires_at
        )

    def _carrier(self, channel: Channel | None, faults: list[Fault]) -> Carrier | None:
        if channel is None:
            return None
        carrier = self._providers.choose(channel)
        if carrier is None:
            detail = (
                f"no provider carries {channel}: set one up ([providers.NAME] in pagerd.toml, or PUT /v1/providers)"
            )
            faults.append(Fault(code="provider_missing", detail=detail, pointer="/channel"))
        return carrier


def _sender(
    pinned: Pinned,
    request: SessionRequest | MessageRequest,
    channel: Channel,
    carrier: Carrier,
    faults: list[Fault],
) -> str | None:
    """Return who stands as the sender: empty where the channel has none, ``None`` where nobody is named."""
    if channel is Channel.KAFKA:
        return ""
    ours = pinned.compiled.draft.sender if channel is Channel.EMAIL else None  # a template's is a mail address
    sender = request.sender or ours or carrier.sender
    if sender is None:
        where = "here, in the template, or" if channel is Channel.EMAIL else "here or"
        detail = f"nobody is named as the sender: give `from` {where} with the provider"
        faults.append(Fault(code="sender_missing", detail=detail, pointer="/from"))
    return sender


def _channel(pinned: Pinned, asked: Channel | None, faults: list[Fault]) -> Channel | None:
    there: list[Channel] = list(dict.fromkeys(variant.channel for variant in pinned.compiled.variants))
    names = ", ".join(there)
    if asked is None and len(there) == 1:
        return there[0]
    if asked is None:
        detail = f"template {pinned.name} speaks by several channels: say which ({names})"
        faults.append(Fault(code="channel_missing", detail=detail, pointer="/channel"))
    elif asked not in there:
        detail = f"template {pinned.name} has no variant for {asked}: it has {names}"
        faults.append(Fault(code="variant_missing", detail=detail, pointer="/channel"))
    else:
        return asked
    return None


def _unusable_headers(
    pinned: Pinned, channel: Channel, sender: str, request: SessionRequest | MessageRequest
) -> Sequence[Fault]:
    """Return what is wrong with sender and reply address, or with their being there."""
    if channel is Channel.EMAIL:
        return _unusable_mailboxes(pinned, sender, request.reply_to)
    given = (
        [("reply_to", request.reply_to)]
        if channel is Channel.SMS
        else [
            ("from", request.sender),
            ("reply_to", request.reply_to),
        ]
    )
    faults = [
        Fault(code="not_for_channel", detail=f"{channel} has no {field}", pointer=f"/{field}")
        for field, value in given
        if value is not None
    ]
    if channel is Channel.SMS:
        try:
            check_sms_sender(sender)
        except Invalid as error:
            faults.append(Fault(code=error.code, detail=error.detail, pointer="/from"))
    return faults


def _unusable_mailboxes(pinned: Pinned, sender: str, reply_to: str | None) -> Sequence[Fault]:
    variant = pinned.compiled.variant(Channel.EMAIL)
    try:
        if variant is not None:
            variant.skeleton(sender, reply_to or pinned.compiled.draft.reply_to)
    except Invalid as error:
        return [Fault(code=error.code, detail=error.detail, pointer="/from")]
    return ()


def _shared(pinned: Pinned, data: dict[str, Any], faults: list[Fault]) -> dict[str, Any]:
    """Check the data that everybody shares; what it lacks is each recipient's to give."""
    lenient = [msgspec.structs.replace(variable, required=False) for variable in pinned.compiled.variables]
    checked, problems = Coercer(lenient).look_closely(data)
    faults += [
        Fault(code=problem.code, detail=problem.detail, pointer="/" + "/".join(str(step) for step in problem.path))
        for problem in problems
    ]
    return checked


def _expiry(
    request: SessionRequest | MessageRequest, now: float, send_at: float | None, faults: list[Fault]
) -> float | None:
    begins = max(now, send_at or 0.0)
    if request.ttl is not None:
        if not 0 < request.ttl <= _LONGEST_TTL:
            faults.append(Fault(code="out_of_range", detail="ttl is 1 second to 366 days", pointer="/ttl"))
        return begins + request.ttl
    if request.expires_at is not None and request.expires_at <= begins:
        detail = "expires_at is over before anything can be sent"
        faults.append(Fault(code="expired_already", detail=detail, pointer="/expires_at"))
    return request.expires_at
