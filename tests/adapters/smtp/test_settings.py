"""Settings: what is understood, what is refused, and that no secret shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pagerd.adapters.smtp.kind import KIND
from pagerd.adapters.smtp.provider import SmtpProvider
from pagerd.adapters.smtp.settings import Login, SmtpSettings, is_loopback, loopback_only, peer_of
from pagerd.core.errors import Misconfigured
from pagerd.core.policy import Channel


@pytest.mark.parametrize(
    ("url", "host", "port", "implicit", "tls"),
    [
        ("smtp://mail.example", "mail.example", 25, False, "auto"),
        ("smtp://127.0.0.1:2525/", "127.0.0.1", 2525, False, "auto"),
        ("smtp+starttls://mail.example", "mail.example", 587, False, "required"),
        ("smtps://[::1]", "::1", 465, True, "required"),
    ],
)
def test_a_url_says_where_and_how(url: str, host: str, port: int, implicit: bool, tls: str) -> None:
    peer = peer_of(SmtpSettings(url=url), None)
    assert (peer.host, peer.port, peer.implicit, peer.tls, peer.login) == (host, port, implicit, tls, None)


@pytest.mark.parametrize(
    ("url", "credential", "user", "password"),
    [
        ("smtp://ada@mail.example", "s3:cret", "ada", "s3:cret"),
        ("smtp://ada%40home@mail.example", "p", "ada@home", "p"),
        ("smtp://mail.example", "ada:s3:cret", "ada", "s3:cret"),
        ("smtp://mail.example", "ada:", "ada", ""),
    ],
)
def test_user_and_password(url: str, credential: str, user: str, password: str) -> None:
    assert peer_of(SmtpSettings(url=url), credential).login == Login(user, password)


@pytest.mark.parametrize(
    ("url", "credential", "code"),
    [
        ("smtp://ada@mail.example", None, "credential_missing"),
        ("smtp://mail.example", "only-a-password", "credential_malformed"),
        ("smtp://mail.example", ":password", "credential_malformed"),
        ("smtp://ada@mail.example", "nul\0", "credential_malformed"),
    ],
)
def test_user_and_credential_must_fit_together(url: str, credential: str | None, code: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        KIND.open("mail", SmtpSettings(url=url), credential)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "fields",
    [
        {"url": "http://mail.example"},
        {"url": "smtp://"},
        {"url": "smtp://:25"},
        {"url": "smtp://ada:secret@mail.example"},
        {"url": "smtp://mail.example/path"},
        {"url": "smtp://mail.example?x=1"},
        {"url": "smtp://mail.example:0"},
        {"url": "smtp://mail.example:70000"},
        {"url": "smtps://mail.example", "tls": "off"},
        {"url": "smtp://mail.example", "tls": "perhaps"},
        {"url": "smtp://mail.example", "helo": "two words"},
        {"url": "smtp://mail.example", "helo": "x\r\nMAIL"},
        {"url": "smtp://mail.example", "connections": 0},
        {"url": "smtp://mail.example", "unanswered": 0},
        {"url": "smtp://mail.example", "dot_timeout": 0},
        {"url": "smtp://mail.example", "conections": 3},
        {},
    ],
    ids=str,
)
def test_wrong_settings_are_refused_when_they_are_read(fields: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(fields, KIND.settings)


def test_a_password_in_a_url_is_not_repeated_in_the_complaint() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"url": "smtp://ada:hunter2@mail.example"}, SmtpSettings)
    assert "hunter2" not in str(caught.value)


def test_a_login_does_not_show() -> None:
    peer = peer_of(SmtpSettings(url="smtp://mail.example"), "ada:hunter2")
    assert "hunter2" not in repr(peer) + str(peer)


def test_from_is_called_from() -> None:
    settings = msgspec.convert({"url": "smtp://h", "from": "Shop <hi@shop.example>"}, SmtpSettings)
    assert settings.sender == "Shop <hi@shop.example>"


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("smtp://localhost:25", True),
        ("smtps://127.3.2.1", True),
        ("smtp://[::1]:25", True),
        ("smtp://[::ffff:127.0.0.1]", True),
        ("smtp://localhost.example", False),
        ("smtp://127.0.0.1.example", False),
        ("smtp://192.0.2.1", False),
        ("smtp://[2001:db8::1]", False),
    ],
)
def test_whether_mail_stays_on_this_machine(url: str, here: bool) -> None:
    assert loopback_only(SmtpSettings(url=url)) is here
    assert KIND.loopback_only(SmtpSettings(url=url)) is here


def test_a_zone_does_not_confuse() -> None:
    assert is_loopback("::1%lo")
    assert not is_loopback("fe80::1%eth0")


def test_the_kind_makes_a_provider() -> None:
    provider = KIND.open("mail", SmtpSettings(url="smtp://127.0.0.1:1", connections=7), None)
    assert isinstance(provider, SmtpProvider)
    assert (provider.name, provider.channel, provider.limits.connections) == ("mail", Channel.EMAIL, 7)
    assert (KIND.name, KIND.channel) == ("smtp", Channel.EMAIL)
    schema = msgspec.json.schema(KIND.settings)
    assert "url" in schema["$defs"]["SmtpSettings"]["required"]


def test_a_missing_authority_file_is_said_when_the_provider_is_made(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="ca_file") as caught:
        SmtpProvider("mail", SmtpSettings(url="smtps://h", ca_file=str(tmp_path / "none.pem")))
    assert caught.value.code == "ca_file"


def test_an_authority_file_without_certificates_is_said_too(tmp_path: Path) -> None:
    file = tmp_path / "empty.pem"
    file.write_text("nothing")
    with pytest.raises(Misconfigured, match="ca_file"):
        SmtpProvider("mail", SmtpSettings(url="smtps://h", ca_file=str(file)))
