"""Who asks, and what they may."""

from __future__ import annotations

import msgspec

from pagerd.core.errors import Forbidden
from pagerd.core.requests import Asker
from pagerd.guard.permissions import Permission


class Principal(msgspec.Struct, frozen=True, kw_only=True):
    """Whoever a request comes from, for as long as it lasts; nothing of it is kept or handed out."""

    workspace: int
    key_id: bytes
    name: str
    live: bool
    scopes: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        """Tell whether they hold a permission."""
        return permission in self.scopes

    def require(self, permission: Permission) -> None:
        """Return if they hold a permission; raise :class:`Forbidden` naming it if not."""
        if permission not in self.scopes:
            raise Forbidden(f"the key {self.name!r} does not have the scope {permission.value!r}")

    def asker(self) -> Asker:
        """Return them as stages see them."""
        return Asker(
            workspace=self.workspace,
            key=self.key_id,
            live=self.live,
            sees_addresses=Permission.RECIPIENT_READ_PII in self.scopes,
        )
