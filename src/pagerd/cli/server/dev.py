"""``pagerd dev``: everything in one process on this machine, with a capture inbox; nothing leaves it."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

import msgspec

from pagerd.adapters.capture.mailbox import Mailbox
from pagerd.adapters.metrics.logs import configure
from pagerd.cli.server.running import Role, Running, running
from pagerd.config import Settings
from pagerd.core.errors import Misconfigured
from pagerd.core.requests import ProviderDraft
from pagerd.guard.permissions import Permission
from pagerd.wiring.house import Extras, capture
from pagerd.wiring.workspace import WORKSPACE

DIRECTORY: Final = ".pagerd"
SENDER: Final = "Pager <pager@dev.example>"
ACCOUNT: Final = "AC" + "0" * 32
NUMBER: Final = "+15005550006"
"""The number that Twilio keeps as a sender for tests."""


async def dev(settings: Settings, directory: Path, *, really_send: bool) -> None:
    """Serve for development until Ctrl-C; say where everything is."""
    configure(settings.log, for_people=True)
    async with AsyncExitStack() as stack:
        up, takes = await start(settings, directory, stack, really_send=really_send)
        print(welcome(up, takes, directory), flush=True)
        for words in up.house.providers.held_back.values():
            print(f"Disabled: {words}", flush=True)
        await up.stop.wait()


class Takes(msgspec.Struct, frozen=True):
    """Where the capture servers take mail and short messages (empty: the libraries for that are not installed)."""

    smtp: str
    sms: str

    @property
    def drafts(self) -> dict[str, ProviderDraft]:
        """The providers that lead there."""
        mail = ProviderDraft(kind="smtp", settings={"url": f"smtp://{self.smtp}", "from": SENDER})
        if not self.sms:
            return {"capture": mail}
        texts = {"account": ACCOUNT, "base_url": f"http://{self.sms}", "from": NUMBER}
        return {"capture": mail, "capture-sms": ProviderDraft(kind="twilio", settings=texts, credential="capture")}


async def start(
    settings: Settings, directory: Path, stack: AsyncExitStack, *, really_send: bool
) -> tuple[Running, Takes]:
    """Bring the development server up; return it and where its capture takes messages."""
    from pagerd.web.inbox import routes

    prepare(directory)
    mailbox, server = capture(settings, directory / "inbox")
    smtp = await _start_capture(server)
    stack.push_async_callback(server.aclose)
    takes = Takes(smtp, await _start_sms(mailbox, settings.capture.host, stack))
    role = Role(
        next_free_port=True,
        dev=True,
        inbox_routes=routes(mailbox, smtp=takes.smtp, sms=takes.sms),
        extras=Extras(providers={} if settings.providers else takes.drafts, loopback_only=not really_send),
    )
    up = await stack.enter_async_context(running(settings, role))
    stack.push_async_callback(mailbox.aclose)
    await save_key(up, directory)
    return up, takes


def prepare(directory: Path) -> None:
    """Make the data directory, kept out of version control by itself."""
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        ignore = directory / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
    except OSError as error:
        raise Misconfigured(
            f"the data directory {directory} can't be made: {error.strerror}",
            code="data_directory",
            remedy="Start in a folder that you may write to, or name another one (--data).",
        ) from error


async def save_key(up: Running, directory: Path) -> None:
    """Keep a live key with every scope, and the address, where pagerctl finds them."""
    key_file = directory / "live.key"
    if not key_file.exists() or not await _works(up, key_file.read_text().strip()):
        scopes = tuple(permission.value for permission in Permission)
        text, _ = await up.house.keys.issue(WORKSPACE, "development", scopes)
        _write_private(key_file, text + "\n")
    profile = f'url = "{up.url}"\nkey_file = "{key_file.absolute()}"\n'
    _write_private(directory / "pagerctl.toml", profile)


def welcome(up: Running, takes: Takes, directory: Path) -> str:
    """Return what a newcomer wants to know."""
    return "\n".join(
        [
            f"pagerd is ready on {up.url}",
            f"  inbox      {up.url}/inbox     every mail and SMS sent here; nothing leaves this machine",
            f"  SMTP       {takes.smtp}     takes mail from your own programs, too",
            *([f"  SMS        http://{takes.sms}     speaks the shape of Twilio's API"] if takes.sms else []),
            f"  API        {up.url}/docs      key in {directory / 'live.key'}",
            f"  data       {directory}",
            "Try: pagerctl templates push examples/templates --publish --yes",
            "     pagerctl send login-code --to you@example.com --data code=123456 --yes",
            "Ctrl-C stops it.",
        ]
    )


async def _start_capture(server: object) -> str:
    from pagerd.adapters.capture.server import CaptureServer

    assert isinstance(server, CaptureServer)  # noqa: S101 - narrows for the type checker
    wanted = server.port
    try:
        await server.start()
    except OSError:
        server.port = 0
        await server.start()
        print(f"Port {wanted} is taken: the capture server listens on {server.port}.", flush=True)
    return f"{server.host}:{server.port}"


async def _start_sms(mailbox: Mailbox, host: str, stack: AsyncExitStack) -> str:
    try:
        from pagerd.adapters.capture.sms import SmsServer
    except ImportError:  # the extra is not installed: development goes on without
        return ""
    server = SmsServer(mailbox, host=host)
    await server.start()
    stack.push_async_callback(server.aclose)
    return f"{server.host}:{server.port}"


async def _works(up: Running, text: str) -> bool:
    from pagerd.core.errors import Unauthenticated

    try:
        await up.house.keys.authenticate(f"Bearer {text}")
    except Unauthenticated:
        return False
    return True


def _write_private(path: Path, text: str) -> None:
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
