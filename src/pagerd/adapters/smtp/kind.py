"""The kind ``smtp``: what wiring needs to make one."""

from __future__ import annotations

from pagerd.adapters.smtp.provider import SmtpProvider
from pagerd.adapters.smtp.settings import SmtpSettings, loopback_only
from pagerd.core.policy import Channel
from pagerd.ports.provider import ProviderKind

KIND = ProviderKind(
    name="smtp",
    channel=Channel.EMAIL,
    settings=SmtpSettings,
    open=SmtpProvider,
    loopback_only=loopback_only,
)
