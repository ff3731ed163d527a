"""Which texts are e-mail addresses, what is written to, and who is the same person."""

from __future__ import annotations

import string

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import assume, given
from hypothesis import strategies as st

from pagerd.audience.addresses import Mailbox, checked
from pagerd.core.recipients import Flaw


def box(to: str) -> Mailbox:
    found = checked(to)
    assert isinstance(found, Mailbox), found
    return found


def flaw(to: str) -> Flaw:
    found = checked(to)
    assert isinstance(found, Flaw), found
    assert found.code == "address_invalid"
    return found


@pytest.mark.parametrize(
    "to",
    [
        "ada@example.com",
        "Ada.Lovelace+news@Mail.Example.COM",
        "o'neil@example.com",
        "a@b.co",
        "!#$%&'*+/?^_`{|}~-@example.com",
        "x@sim.test",
        "x@deep.sub.sim.test",
        "x@localhost",
        "x@printer.local",
        "x@host.invalid",
        "x@mail.onion",
        "x@1and1.example",
        "x@3com.com",
        "x@xn--bcher-kva.example",
        "l" * 64 + "@example.com",
        "x@" + "d" * 63 + ".example.com",
    ],
)
def test_plain_addresses_are_written_to_as_they_are(to: str) -> None:
    assert box(to) == Mailbox(to, to.lower(), False)


@pytest.mark.parametrize(
    ("to", "address", "normalised", "international"),
    [
        (" ada@example.com ", "ada@example.com", "ada@example.com", False),
        ("ada@LOCALHOST", "ada@LOCALHOST", "ada@localhost", False),
        ("ada@bücher.example", "ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example", False),
        ("ada@BÜCHER.Example", "ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example", False),
        ("ada@faß.example", "ada@xn--fa-hia.example", "ada@xn--fa-hia.example", False),
        ("ada@例え.テスト", "ada@xn--r8jz45g.xn--zckzah", "ada@xn--r8jz45g.xn--zckzah", False),
        ("ada@例え。example.com", "ada@xn--r8jz45g.example.com", "ada@xn--r8jz45g.example.com", False),
        ("ada@bücher.local", "ada@xn--bcher-kva.local", "ada@xn--bcher-kva.local", False),
        ("José@example.com", "José@example.com", "josé@example.com", True),
        ("Jose\u0301@example.com", "José@example.com", "josé@example.com", True),
        ("用户@例子.example.com", "用户@xn--fsqu00a.example.com", "用户@xn--fsqu00a.example.com", True),
    ],
)
def test_international_addresses(to: str, address: str, normalised: str, international: bool) -> None:
    assert box(to) == Mailbox(address, normalised, international)


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("ada", "@"),
        ("ada\uff20example.com", "full-width"),
        ("ada@", "@"),
        ("@example.com", "before the @"),
        ("ada@example", "period"),
        ("ada..l@example.com", "two periods"),
        (".ada@example.com", "start with a period"),
        ("ada.@example.com", "period immediately before"),
        ("ada@-example.com", "hyphen"),
        ("ada@exam_ple.com", "invalid characters"),
        ("ada@example..com", "two periods"),
        ("ada@example.com.", "end with a period"),
        ("ada@127.0.0.1", "top-level"),
        ("ada@[127.0.0.1]", "brackets"),
        ("ada l@example.com", "before the @"),
        ("ada@example.com, bob@example.com", "more than one @"),
        ("Ada <ada@example.com>", "bare address"),
        ("<ada@example.com>", "bare address"),
        ("mailto:ada@example.com", "mailto"),
        ('"ada l"@example.com', "quoted"),
        ("l" * 65 + "@example.com", "long"),
        ("ada@" + "d" * 64 + ".com", "63 bytes"),
        ("é" * 33 + "@example.com", "64 bytes"),
        ("a@" + ".".join(["d" * 60] * 4) + ".example.com", "254"),
        ("x" * 100_000, "254"),
        ("l" * 200 + "@example.com", "64 bytes"),
        ("ada@" + "ü" * 300 + ".com", "63 bytes"),
    ],
)
def test_what_is_no_address_says_why(to: str, says: str) -> None:
    assert says in flaw(to).detail


@pytest.mark.parametrize(
    "to",
    [
        "ada@example.com\r\nBcc: eve@example.com",
        "ada@example.com\n",
        "\rada@example.com",
        "ada\0@example.com",
        "ada@exa\tmple.com",
        "ada\x7f@example.com",
        "ada\x85@example.com",
        "ada\u2028@example.com",
        "=?utf-8?q?x=0ABcc:eve?=@example.com",
        "a=?b@example.com",
        "é=?b@example.com",
        "\u202eada@example.com",
        "a\ud800@example.com",
        "a@b\ud800.com",
    ],
)
def test_nothing_that_could_forge_a_header_passes(to: str) -> None:
    flaw(to)


def test_details_do_not_repeat_the_address() -> None:
    assert "ada" not in flaw("Ada <ada@example.com>").detail.lower()
    assert "secret" not in flaw("secret@@example.com").detail


def test_one_mailbox_has_one_identity() -> None:
    spellings = ["ADA@Bücher.example", "ada@bücher.example", "Ada@xn--bcher-kva.example", " ada@BÜCHER.EXAMPLE"]
    assert {box(to).normalised for to in spellings} == {"ada@xn--bcher-kva.example"}


def test_tags_and_dots_tell_people_apart() -> None:
    assert len({box(to).normalised for to in ("ada.l@example.com", "adal@example.com", "ada.l+x@example.com")}) == 3


@given(st.text(alphabet=string.ascii_letters + string.digits + ".-_+@ !\"<>(),:;[]?'", max_size=30))
def test_of_ascii_we_take_what_the_library_takes(text: str) -> None:
    """The oracle judges at domains that it does not refuse for being special."""
    to = f"{text}.example.com" if "@" in text else f"{text}@example.com"
    try:
        validate_email(to.strip(" "), check_deliverability=False, strict=True)
    except EmailNotValidError:
        flaw(to)
    else:
        assert box(to).address == to.strip(" ")


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_is_an_address_or_has_a_flaw(local: str, domain: str) -> None:
    found = checked(f"{local}@{domain}")
    if isinstance(found, Mailbox):
        assert found.address.encode().isascii() is not found.international
        assert found.address.rpartition("@")[2].isascii()
        assert not any(ord(c) < 32 or ord(c) == 127 for c in found.address)
        assert len(found.address.encode()) <= 254
    else:
        assert found.code == "address_invalid"
        assert found.detail


@given(st.text(alphabet=st.characters(categories=("L", "Nd")), min_size=1, max_size=12))
def test_identity_is_stable(local: str) -> None:
    first = checked(f"{local}@example.com")
    assume(isinstance(first, Mailbox))
    again = checked(first.normalised)  # type: ignore[union-attr]
    assume(isinstance(again, Mailbox))
    assert again.normalised == first.normalised  # type: ignore[union-attr]
