"""From bodies to the stages' requests: times become epoch seconds, words become core's, absence becomes defaults."""

from __future__ import annotations

from pagerd.api.bodies import MessageBody, ProviderBody, RedriveBody, SessionBody, WhereBody
from pagerd.api.times import epoch_of
from pagerd.core.policy import OnDoubt, OnInvalid, Priority
from pagerd.core.requests import MessageRequest, ProviderDraft, Redrive, SessionRequest


def session_request(body: SessionBody) -> SessionRequest:
    """Return the request that the body makes."""
    return SessionRequest(
        template=body.template,
        recipients=None if body.audience.upload else body.audience.recipients,
        channel=body.channel,
        data=body.data or {},
        sender=body.sender,
        reply_to=body.reply_to,
        batch_size=body.batch_size,
        priority=Priority.URGENT if body.priority == "urgent" else Priority.BULK,
        send_at=epoch_of(body.send_at),
        expires_at=epoch_of(body.expires_at),
        ttl=body.ttl,
        on_invalid=body.on_invalid or OnInvalid.FAIL,
        on_doubt=body.on_doubt or OnDoubt.RESEND,
        locale=body.locale,
        reference=body.reference,
        metadata=body.metadata or {},
    )


def message_request(body: MessageBody) -> MessageRequest:
    """Return the request that the body makes."""
    return MessageRequest(
        to=body.to,
        template=body.template,
        channel=body.channel,
        data=body.data or {},
        locale=body.locale,
        sender=body.sender,
        reply_to=body.reply_to,
        expires_at=epoch_of(body.expires_at),
        ttl=body.ttl,
        on_doubt=body.on_doubt or OnDoubt.RESEND,
        reference=body.reference,
        metadata=body.metadata or {},
    )


def redrive(body: RedriveBody) -> Redrive:
    """Return the redrive that the body asks for."""
    where = body.where or WhereBody()
    return Redrive(
        state=where.state,
        reason_class=where.reason_class,
        code=where.code,
        force=bool(body.force),
        expires_at=epoch_of(body.expires_at),
    )


def provider_draft(body: ProviderBody) -> ProviderDraft:
    """Return the provider that the body describes; it is enabled unless it says otherwise."""
    return ProviderDraft(
        kind=body.kind,
        settings=body.settings or {},
        channel=body.channel,
        credential=body.credential,
        sender=body.sender,
        enabled=body.enabled is not False,
    )
