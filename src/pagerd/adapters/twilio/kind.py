"""The kind ``twilio``: what wiring needs to make one."""

from __future__ import annotations

from pagerd.adapters.twilio.settings import TwilioSettings, loopback_only
from pagerd.core.errors import Misconfigured
from pagerd.core.policy import Channel
from pagerd.ports.provider import Provider, ProviderKind


def _open(name: str, settings: TwilioSettings, credential: str | None) -> Provider:
    """Return the provider, whose library loads only where there is one."""
    try:
        from pagerd.adapters.twilio.provider import TwilioProvider
    except ImportError as error:
        detail = f"provider {name} needs libraries that are not installed: pip install 'pagerd[sms]'"
        raise Misconfigured(detail, code="extra_missing") from error
    return TwilioProvider(name, settings, credential)


KIND = ProviderKind(
    name="twilio",
    channel=Channel.SMS,
    settings=TwilioSettings,
    open=_open,
    loopback_only=loopback_only,
)
