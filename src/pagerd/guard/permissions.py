"""What may be asked, by name: every route declares one of these, every key holds some of them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from pagerd.core.errors import Fault, Invalid
from pagerd.core.nearest import did_you_mean


class Permission(StrEnum):
    """A right, as scopes and roles name it; the part before the dot is what it is about."""

    SESSION_CREATE = "session.create"
    SESSION_READ = "session.read"
    """Of one's own sessions; those of others need ``session.read_all``."""
    SESSION_READ_ALL = "session.read_all"
    SESSION_PAUSE = "session.pause"
    SESSION_CANCEL = "session.cancel"
    DELIVERY_REDRIVE = "delivery.redrive"
    DELIVERY_REDRIVE_UNKNOWN = "delivery.redrive_unknown"
    RECIPIENT_READ_MASKED = "recipient.read_masked"
    RECIPIENT_READ_PII = "recipient.read_pii"
    TEMPLATE_READ = "template.read"
    TEMPLATE_WRITE = "template.write"
    TEMPLATE_PUBLISH = "template.publish"
    TEMPLATE_PREVIEW = "template.preview"
    AUDIENCE_READ = "audience.read"
    AUDIENCE_IMPORT = "audience.import"
    AUDIENCE_EXPORT = "audience.export"
    AUDIENCE_ERASE = "audience.erase"
    SUPPRESSION_READ = "suppression.read"
    SUPPRESSION_WRITE = "suppression.write"
    PROVIDER_READ = "provider.read"
    PROVIDER_WRITE = "provider.write"
    PROVIDER_TEST = "provider.test"
    CREDENTIAL_WRITE = "credential.write"
    WEBHOOK_READ = "webhook.read"
    WEBHOOK_WRITE = "webhook.write"
    WEBHOOK_REPLAY = "webhook.replay"
    USER_READ = "user.read"
    USER_WRITE = "user.write"
    ROLE_READ = "role.read"
    ROLE_WRITE = "role.write"
    APIKEY_ADMIN = "apikey.admin"
    WORKSPACE_SETTINGS = "workspace.settings"
    AUDIT_READ = "audit.read"
    AUDIT_VERIFY = "audit.verify"
    AUDIT_EXPORT = "audit.export"
    METRICS_READ = "metrics.read"
    SYSTEM_HEALTH = "system.health"
    QUEUE_ADMIN = "queue.admin"
    KEYS_ROTATE = "keys.rotate"
    DEV_INBOX = "dev.inbox"
    """The inbox of development: whoever may read it reads everybody's mail. It exists in `pagerd dev` only."""


EVERY: Final = frozenset(Permission)
"""All of them: what a key for development holds."""

OF_A_KEY: Final = frozenset(
    {
        Permission.SESSION_CREATE,
        Permission.SESSION_READ,
        Permission.RECIPIENT_READ_MASKED,
        Permission.TEMPLATE_READ,
        Permission.AUDIENCE_IMPORT,
    }
)
"""What an API key holds where nobody says otherwise: enough to send and to follow what it sent."""

_BY_NAME: Final = {permission.value: permission for permission in Permission}


def read_scopes(names: Iterable[str]) -> frozenset[Permission]:
    """Return the permissions of these names; raise :class:`Invalid` with each unknown one and the nearest right one."""
    asked = list(names)
    faults = [
        Fault(code="unknown_scope", detail=_unknown(name), pointer=f"/scopes/{at}")
        for at, name in enumerate(asked)
        if name not in _BY_NAME
    ]
    if faults:
        raise Invalid(faults=faults)
    return frozenset(_BY_NAME[name] for name in asked)


def known_scopes(names: Iterable[str]) -> frozenset[Permission]:
    """Return the permissions of these names; one that a newer release wrote and this one does not know is left out."""
    return frozenset(_BY_NAME[name] for name in names if name in _BY_NAME)


def _unknown(name: str) -> str:
    return f"there is no scope {name!r}{did_you_mean(name, _BY_NAME)}"
