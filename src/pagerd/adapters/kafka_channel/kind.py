"""The kind ``kafka``: what wiring needs to make one."""

from __future__ import annotations

from pagerd.adapters.kafka_channel.settings import KafkaSettings, loopback_only
from pagerd.core.errors import Misconfigured
from pagerd.core.policy import Channel
from pagerd.ports.provider import Provider, ProviderKind


def _open(name: str, settings: KafkaSettings, credential: str | None) -> Provider:
    """Return the provider, whose library loads only where there is one."""
    try:
        from pagerd.adapters.kafka_channel.provider import KafkaProvider
    except ImportError as error:
        detail = f"provider {name} needs a library that is not installed: pip install 'pagerd[kafka]'"
        raise Misconfigured(detail, code="extra_missing") from error
    return KafkaProvider(name, settings, credential)


KIND = ProviderKind(
    name="kafka",
    channel=Channel.KAFKA,
    settings=KafkaSettings,
    open=_open,
    loopback_only=loopback_only,
)
