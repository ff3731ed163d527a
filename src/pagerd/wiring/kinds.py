"""The kinds of providers that can be made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pagerd.adapters.kafka_channel.kind import KIND as KAFKA
from pagerd.adapters.smtp.kind import KIND as SMTP
from pagerd.adapters.twilio.kind import KIND as TWILIO
from pagerd.ports.provider import ProviderKind

KINDS: Final[Mapping[str, ProviderKind]] = {kind.name: kind for kind in (SMTP, TWILIO, KAFKA)}
