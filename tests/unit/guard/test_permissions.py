"""Names of rights, and who holds which."""

from __future__ import annotations

import pytest

from pagerd.core.errors import Forbidden, Invalid
from pagerd.guard.permissions import EVERY, OF_A_KEY, Permission, known_scopes, read_scopes
from pagerd.guard.principals import Principal


def principal(*scopes: Permission) -> Principal:
    return Principal(workspace=7, key_id=b"k" * 16, name="shop", live=True, scopes=frozenset(scopes))


def test_names_are_a_thing_and_a_verb() -> None:
    assert all(permission.value.count(".") == 1 for permission in Permission)
    assert all(permission.name.replace("_", ".", 1).lower() == permission.value for permission in Permission)


def test_nobody_may_delete_from_the_audit_log() -> None:
    assert "audit.delete" not in {permission.value for permission in Permission}


def test_a_key_may_send_and_follow_but_not_read_addresses() -> None:
    assert {"session.create", "session.read", "recipient.read_masked"} <= {p.value for p in OF_A_KEY}
    assert not {Permission.RECIPIENT_READ_PII, Permission.DELIVERY_REDRIVE, Permission.CREDENTIAL_WRITE} & OF_A_KEY


def test_scopes_are_read_by_name() -> None:
    assert read_scopes(["session.create", "session.read", "session.read"]) == {
        Permission.SESSION_CREATE,
        Permission.SESSION_READ,
    }
    assert read_scopes(permission.value for permission in EVERY) == EVERY
    assert read_scopes([]) == frozenset()


def test_every_unknown_scope_is_named_with_the_nearest_right_one() -> None:
    with pytest.raises(Invalid) as wrong:
        read_scopes(["session.create", "sesion.read", "???"])
    assert [fault.pointer for fault in wrong.value.faults] == ["/scopes/1", "/scopes/2"]
    assert "did you mean 'session.read'?" in wrong.value.faults[0].detail
    assert "did you mean" not in wrong.value.faults[1].detail


def test_a_scope_of_a_newer_release_is_not_granted() -> None:
    assert known_scopes(["session.read", "galaxy.rule"]) == {Permission.SESSION_READ}


def test_what_is_not_held_is_refused_by_name() -> None:
    asker = principal(Permission.SESSION_READ)
    asker.require(Permission.SESSION_READ)
    assert not asker.may(Permission.SESSION_CREATE)
    with pytest.raises(Forbidden, match=r"'shop' does not have the scope 'session\.create'"):
        asker.require(Permission.SESSION_CREATE)


def test_stages_see_no_more_than_they_need() -> None:
    masked = principal(Permission.RECIPIENT_READ_MASKED).asker()
    assert (masked.workspace, masked.key, masked.live, masked.sees_addresses) == (7, b"k" * 16, True, False)
    assert principal(Permission.RECIPIENT_READ_PII).asker().sees_addresses
