"""What each reply means: one case per row of the table, and what happens where no row fits."""

from __future__ import annotations

import pytest

from pagerd.adapters.smtp.classes import LOCAL, TABLE, Phase, classify, look_up
from pagerd.core.outcomes import FailureClass

ADDRESS, CONTENT = "permanent_address", "permanent_content"
CONFIG, TRANSIENT, THROTTLED = "provider_config", "transient", "throttled"

ROWS = [
    # phase, reply, class, code that is kept; in the order of the table
    ("rcpt", "550 5.1.1 no such user", ADDRESS, "550 5.1.1"),
    ("end", "550 5.1.1 no such user, found late", ADDRESS, "550 5.1.1"),
    ("rcpt", "550 5.1.2 no such domain", ADDRESS, "550 5.1.2"),
    ("rcpt", "553 5.1.3 bad syntax", ADDRESS, "553 5.1.3"),
    ("rcpt", "501 5.1.3 bad syntax", ADDRESS, "501 5.1.3"),
    ("rcpt", "551 5.1.6 moved", ADDRESS, "551 5.1.6"),
    ("rcpt", "556 5.1.10 null MX", ADDRESS, "556 5.1.10"),
    ("rcpt", "550 5.2.1 disabled", ADDRESS, "550 5.2.1"),
    ("rcpt", "550 unknown", ADDRESS, "550"),
    ("rcpt", "551 not local", ADDRESS, "551"),
    ("rcpt", "553 not allowed", ADDRESS, "553"),
    ("rcpt", "556 does not accept mail", ADDRESS, "556"),
    ("mail", "550 5.1.1 sender unknown", CONTENT, "550 5.1.1"),
    ("mail", "550 5.1.2 sender's domain", CONTENT, "550 5.1.2"),
    ("mail", "501 5.1.3 sender's syntax", CONTENT, "501 5.1.3"),
    ("mail", "551 5.1.6 sender moved", CONTENT, "551 5.1.6"),
    ("mail", "550 5.1.10 sender's null MX", CONTENT, "550 5.1.10"),
    ("mail", "550 5.2.1 sender disabled", CONTENT, "550 5.2.1"),
    ("rcpt", "553 5.1.7 bad sender", CONTENT, "553 5.1.7"),
    ("mail", "553 5.1.8 bad sender's domain", CONTENT, "553 5.1.8"),
    ("end", "552 5.2.3 too long for the mailbox", CONTENT, "552 5.2.3"),
    ("mail", "552 5.3.4 too big", CONTENT, "552 5.3.4"),
    ("end", "554 5.6.0 bad MIME", CONTENT, "554 5.6.0"),
    ("mail", "550 5.6.7 not ASCII", CONTENT, "550 5.6.7"),
    ("end", "554 5.7.1 spam", CONTENT, "554 5.7.1"),
    ("rcpt", "550 5.7.26 DMARC", CONTENT, "550 5.7.26"),
    ("mail", "530 authentication required", CONFIG, "530"),
    ("mail", "534 stronger, please", CONFIG, "534"),
    ("rcpt", "535 who are you", CONFIG, "535"),
    ("mail", "538 encrypt first", CONFIG, "538"),
    ("mail", "530 5.7.0 Must issue a STARTTLS command first", CONFIG, "530 5.7.0"),
    ("mail", "534 5.7.1 no", CONFIG, "534 5.7.1"),
    ("mail", "535 5.7.3 no", CONFIG, "535 5.7.3"),
    ("mail", "538 5.7.1 no", CONFIG, "538 5.7.1"),
    ("rcpt", "550 5.7.8 credentials", CONFIG, "550 5.7.8"),
    ("mail", "550 5.7.9 too weak", CONFIG, "550 5.7.9"),
    ("mail", "550 5.7.10 encryption needed", CONFIG, "550 5.7.10"),
    ("mail", "550 5.7.11 encryption needed", CONFIG, "550 5.7.11"),
    ("mail", "550 5.7.12 password transition", CONFIG, "550 5.7.12"),
    ("mail", "525 5.7.13 account disabled", CONFIG, "525 5.7.13"),
    ("mail", "550 5.7.14 trust needed", CONFIG, "550 5.7.14"),
    ("end", "550 5.7.25 no PTR", CONFIG, "550 5.7.25"),
    ("mail", "502 not implemented", CONFIG, "502"),
    ("mail", "503 5.5.1 AUTH first", CONFIG, "503 5.5.1"),
    ("rcpt", "552 5.2.2 full", TRANSIENT, "552 5.2.2"),
    ("rcpt", "552 storage", TRANSIENT, "552"),
    ("rcpt", "503 need MAIL", TRANSIENT, "503"),
    ("data", "503 5.5.1 need RCPT", TRANSIENT, "503 5.5.1"),
    ("end", "503 lost", TRANSIENT, "503"),
    ("rcpt", "550 5.5.3 too many", THROTTLED, "550 5.5.3"),
    ("mail", "421 4.3.2 busy", THROTTLED, "421 4.3.2"),
    ("rcpt", "452 4.5.3 too many", THROTTLED, "452 4.5.3"),
    ("rcpt", "450 4.7.1 greylisted", THROTTLED, "450 4.7.1"),
    ("rcpt", "450 4.2.0 later", TRANSIENT, "450 4.2.0"),
    ("end", "554 no", CONTENT, "554"),
    # no row: the first digit
    ("mail", "421 closing", TRANSIENT, "421"),
    ("rcpt", "450 4.2.1 busy", TRANSIENT, "450 4.2.1"),
    ("end", "451 local error", TRANSIENT, "451"),
    ("rcpt", "452 4.3.1 no space", TRANSIENT, "452 4.3.1"),
    ("data", "499 whatever", TRANSIENT, "499"),
    ("rcpt", "599 whatever", CONTENT, "599"),
    ("rcpt", "554 no", CONTENT, "554"),
    ("end", "550 no", CONTENT, "550"),
    ("end", "552 too much", CONTENT, "552"),
    # the enhanced code decides before the basic one, but not where it contradicts it
    ("rcpt", "550 5.2.2 full", TRANSIENT, "550 5.2.2"),
    ("rcpt", "550 5.7.1 relaying denied", CONTENT, "550 5.7.1"),
    ("rcpt", "550 4.7.1 two minds", ADDRESS, "550"),
    ("rcpt", "450 5.1.1 two minds", TRANSIENT, "450"),
    ("rcpt", "550 5.1.9999 not a code", ADDRESS, "550"),
    # before the envelope a refusal is about us
    ("greeting", "554 5.7.1 your address is listed", CONFIG, "554 5.7.1"),
    ("hello", "550 no", CONFIG, "550"),
    ("tls", "501 no", CONFIG, "501"),
    ("auth", "535 5.7.8 wrong", CONFIG, "535 5.7.8"),
    ("auth", "454 4.7.0 too many logins", THROTTLED, "454 4.7.0"),
    ("tls", "454 not now", TRANSIENT, "454"),
    ("greeting", "421 4.7.0 too many connections", THROTTLED, "421 4.7.0"),
    ("reset", "421 closing", TRANSIENT, "421"),
]


@pytest.mark.parametrize(("phase", "reply", "kind", "code"), ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS])
def test_a_reply_means(phase: str, reply: str, kind: str, code: str) -> None:
    assert classify(Phase(phase), reply.encode()) == (FailureClass(kind), code)


@pytest.mark.parametrize(("phase", "basic", "enhanced"), TABLE, ids=[" ".join(filter(None, row)) for row in TABLE])
def test_every_row_of_the_table_decides(phase: str, basic: str, enhanced: str) -> None:
    """A reply made from the row's own words gets the row's class: no other row stands before it."""
    said = enhanced.replace("*", "77")
    code = basic if len(basic) == 3 else (basic or said[0]) + "99"
    where = [Phase(phase)] if phase else [Phase.END]
    assert {look_up(at, code, said) for at in where} == {TABLE[phase, basic, enhanced]}


def test_only_a_mailbox_refused_for_itself_is_never_written_to_again() -> None:
    addresses = {key for key, kind in TABLE.items() if kind is FailureClass.PERMANENT_ADDRESS}
    assert {enhanced or f"{phase} {basic}" for phase, basic, enhanced in addresses} == {
        *("5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"),
        *("rcpt 550", "rcpt 551", "rcpt 553", "rcpt 556"),
    }


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("dns_failed", TRANSIENT),
        ("connect_failed", TRANSIENT),
        ("connection_lost", TRANSIENT),
        ("timeout", TRANSIENT),
        ("bad_reply", TRANSIENT),
        ("internal_error", TRANSIENT),
        ("tls_missing", CONFIG),
        ("tls_unverified", CONFIG),
        ("tls_failed", CONFIG),
        ("tls_injection", CONFIG),
        ("auth_missing", CONFIG),
        ("auth_unsupported", CONFIG),
        ("address_invalid", ADDRESS),
        ("sender_invalid", CONTENT),
        ("bare_newline", CONTENT),
        ("too_large", CONTENT),
        ("smtputf8_missing", CONTENT),
        ("eightbit_missing", CONTENT),
        ("fence", "not_sent"),
        ("cancelled", "not_sent"),
        ("closed", "not_sent"),
    ],
)
def test_what_no_reply_says(code: str, kind: str) -> None:
    assert LOCAL[code] == kind


def test_every_local_failure_is_tested() -> None:
    (mark,) = [m for m in test_what_no_reply_says.pytestmark if m.name == "parametrize"]  # type: ignore[attr-defined]
    assert {code for code, _ in mark.args[1]} == set(LOCAL)
