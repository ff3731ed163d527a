"""A mail server that can be told to break, lie or stall anywhere, and remembers what it really accepted."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import os
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from pagerd.adapters.smtp.provider import SmtpProvider
from pagerd.adapters.smtp.settings import SmtpSettings
from pagerd.core.messages import Message

Act = Literal["close", "reset", "stall"]
Answer = Callable[["Visit", str, str], bytes | None]


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> dict[str, Callable[[], Any]]:
    """Every test here runs on both loops: the one that production uses, and the one that everybody has."""
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@dataclass
class Mail:
    """What the server took over."""

    sender: str
    to: str
    body: bytes
    parameters: str
    answered: bool = False


@dataclass
class Plan:
    """How the server behaves. ``answer`` may replace a reply: it gets the visit, the verb and the whole line.

    After reading ``cut_in`` bytes or writing ``cut_out`` bytes of a connection it acts: closes, resets, or says and
    reads nothing more.
    """

    offers: tuple[str, ...] = ("PIPELINING", "SIZE 10240000", "8BITMIME", "SMTPUTF8", "CHUNKING", "ENHANCEDSTATUSCODES")
    greeting: bytes = b"220 peer.example ESMTP\r\n"
    answer: Answer = lambda visit, verb, line: None
    cut_in: int | None = None
    cut_out: int | None = None
    act: Act = "close"
    tls: ssl.SSLContext | None = None


class Visit(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.plan = server.plan
        self.number = len(server.visits)
        self.read = 0
        self.written = 0
        self.lines: list[str] = []
        self.over = False
        self.holding = False
        self.sender: str | None = None
        self.parameters = ""
        self.to: list[str] = []
        self._buffer = b""
        self._in_data = False
        self._chunk = -1
        self._last = False
        self._chunks = b""
        server.visits.append(self)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.secure = transport.get_extra_info("ssl_object") is not None
        self.server.transports.add(transport)
        self.say(self.plan.greeting)
        self._look_at_input()
        self.server.changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.over = True
        self.server.transports.discard(self.transport)
        self.server.changed.set()

    def data_received(self, data: bytes) -> None:
        if self.plan.cut_in is not None:
            data = data[: max(0, self.plan.cut_in - self.read)]
        self.read += len(data)
        self._buffer += data
        self._work()
        self._look_at_input()
        self.server.changed.set()

    def say(self, reply: bytes) -> None:
        """Write a reply, as far as the plan lets it out."""
        if self.over:
            return
        if self.plan.cut_out is not None and self.written + len(reply) >= self.plan.cut_out:
            reply = reply[: self.plan.cut_out - self.written]
            self.transport.write(reply)
            self.written += len(reply)
            self.act()
            return
        self.written += len(reply)
        self.transport.write(reply)

    def hold(self) -> bytes:
        """Say nothing and look at nothing until :meth:`go_on`; to be returned as the answer that is held."""
        self.holding = True
        self.server.changed.set()
        return b""

    def go_on(self, reply: bytes) -> None:
        """Say what was held, then look at what came meanwhile."""
        self.holding = False
        self.say(reply)
        self._work()

    def act(self, how: Act | None = None) -> None:
        """Break the connection in the plan's way."""
        self.over = True
        how = how or self.plan.act
        if how == "close":
            self.transport.close()
        elif how == "reset":
            self.transport.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
            )
            self.transport.abort()

    def take(self, body: bytes) -> bool:
        """Take a message over, if anybody is to get it."""
        if not self.to:
            self.server.lone_dots += 1
            return False
        self.server.accepted.append(Mail(self.sender or "", self.to[0], body, self.parameters))
        return True

    def _look_at_input(self) -> None:
        if self.plan.cut_in is not None and self.read >= self.plan.cut_in and not self.over:
            self.act()

    def _work(self) -> None:
        while not (self.over or self.holding):
            if self._in_data:
                body, end, rest = (b"\r\n" + self._buffer).partition(b"\r\n.\r\n")
                if not end:
                    return
                self._in_data, self._buffer = False, rest
                self._finish("END", (body + b"\r\n")[2:].replace(b"\r\n..", b"\r\n.").removeprefix(b"."))
            elif self._chunk >= 0:
                if len(self._buffer) < self._chunk:
                    return
                self._chunks += self._buffer[: self._chunk]
                self._buffer = self._buffer[self._chunk :]
                self._chunk = -1
                if self._last:
                    body, self._chunks = self._chunks, b""
                    self._finish("BDAT", body)
                else:
                    self.say(b"250 2.0.0 chunk\r\n")
            else:
                line, end, rest = self._buffer.partition(b"\r\n")
                if not end:
                    return
                self._buffer = rest
                self._command(line.decode())

    def _finish(self, verb: str, body: bytes) -> None:
        reply = self.plan.answer(self, verb, "")
        taken = False
        if reply is None or reply.startswith(b"2"):
            taken = self.take(body)
        self.sender, self.to = None, self.to if verb == "BDAT" and not taken else []
        default = b"250 2.0.0 Ok: queued as Q%d\r\n" % len(self.server.accepted) if taken else b"554 5.5.1 nobody\r\n"
        self.say(default if reply is None else reply)
        if taken and not self.over:
            self.server.accepted[-1].answered = True

    def _command(self, line: str) -> None:
        self.lines.append(line)
        verb = line.partition(" ")[0].partition(":")[0].upper()
        reply = self.plan.answer(self, verb, line)
        if reply is None:
            reply = getattr(self, f"_on_{verb.lower()}", self._on_unknown)(line)
        elif verb == "BDAT":
            self._on_bdat(line)
        elif verb == "DATA" and reply.startswith(b"354"):
            self._in_data = True
        if reply:
            self.say(reply)

    def _on_ehlo(self, line: str) -> bytes:
        offers = ("peer.example", *self.plan.offers)
        return b"".join(
            b"250%c%s\r\n" % (b" " if n == len(offers) - 1 else b"-", offer.encode()) for n, offer in enumerate(offers)
        )

    def _on_helo(self, line: str) -> bytes:
        return b"250 peer.example\r\n"

    def _on_mail(self, line: str) -> bytes:
        if self.sender is not None:
            return b"503 5.5.1 nested MAIL\r\n"
        path, _, self.parameters = line.removeprefix("MAIL FROM:<").partition(">")
        self.sender, self.to = path, []
        return b"250 2.1.0 Ok\r\n"

    def _on_rcpt(self, line: str) -> bytes:
        if self.sender is None:
            return b"503 5.5.1 need MAIL\r\n"
        self.to.append(line.removeprefix("RCPT TO:<").removesuffix(">"))
        return b"250 2.1.5 Ok\r\n"

    def _on_data(self, line: str) -> bytes:
        if not self.to:
            return b"554 5.5.1 no valid recipients\r\n"
        self._in_data = True
        return b"354 go ahead\r\n"

    def _on_bdat(self, line: str) -> bytes:
        words = line.split()
        self._chunk, self._last = int(words[1]), words[-1].upper() == "LAST"
        return b""

    def _on_rset(self, line: str) -> bytes:
        self.sender, self.to = None, []
        return b"250 2.0.0 Ok\r\n"

    def _on_noop(self, line: str) -> bytes:
        return b"250 2.0.0 Ok\r\n"

    def _on_quit(self, line: str) -> bytes:
        self.say(b"221 2.0.0 Bye\r\n")
        if not self.over:
            self.act("close")
        return b""

    def _on_starttls(self, line: str) -> bytes:
        self.say(b"220 2.0.0 go\r\n")
        self.holding = True  # what comes encrypted may come before the new transport is ours
        self.server.tasks.append(asyncio.ensure_future(self._secure()))
        return b""

    async def _secure(self) -> None:
        assert self.plan.tls is not None
        try:
            self.transport = await asyncio.get_running_loop().start_tls(
                self.transport, self, self.plan.tls, server_side=True
            )
        except (ssl.SSLError, OSError):
            return
        self.secure = True
        self.server.transports.add(self.transport)
        self.holding = False
        self._work()

    def _on_unknown(self, line: str) -> bytes:
        return b"502 5.5.2 unknown\r\n"


@dataclass
class Server:
    """The server: its visits, and the mail that it took responsibility for."""

    plan: Plan
    visits: list[Visit] = field(default_factory=list)
    accepted: list[Mail] = field(default_factory=list)
    transports: set[Any] = field(default_factory=set)
    tasks: list[Any] = field(default_factory=list)
    lone_dots: int = 0
    port: int = 0

    async def start(self, implicit: ssl.SSLContext | None = None) -> None:
        self.changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Visit(self), "127.0.0.1", self.port, ssl=implicit)
        self.port = self._server.sockets[0].getsockname()[1]

    async def until(self, condition: Callable[[], bool]) -> None:
        """Return when the condition holds; it is looked at whenever anything happens here."""
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def stop(self) -> None:
        self._server.close()
        for transport in list(self.transports):
            transport.abort()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self._server.wait_closed()


@pytest.fixture
async def serve() -> AsyncIterator[Callable[..., Any]]:
    """``await serve(Plan(…))`` is a running server."""
    servers: list[Server] = []

    async def start(plan: Plan | None = None, implicit: ssl.SSLContext | None = None) -> Server:
        server = Server(plan or Plan())
        await server.start(implicit)
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
async def provide() -> AsyncIterator[Callable[..., SmtpProvider]]:
    """``provide(server or url, credential, setting=…)`` is a provider that is closed in the end."""
    made: list[SmtpProvider] = []

    def make(where: Server | str, credential: str | None = None, **fields: Any) -> SmtpProvider:
        url = where if isinstance(where, str) else f"smtp://127.0.0.1:{where.port}"
        provider = SmtpProvider("mail", SmtpSettings(url=url, **fields), credential)
        made.append(provider)
        return provider

    yield make
    for provider in made:
        await provider.aclose()


@pytest.fixture
def plan() -> type[Plan]:
    return Plan


def letter(place: int, to: str | None = None, body: bytes | None = None, **fields: Any) -> Message:
    """A small message; its body names its place."""
    return Message(
        **{
            "place": place,
            "to": f"p{place}@example.com" if to is None else to,
            "sender": "shop@shop.example",
            "key": f"<{place}@shop.example>",
            "body": body or b"Subject: n%d\r\n\r\nHi %d\r\n.\r\n..dots\r\n" % (place, place),
            **fields,
        }
    )


@pytest.fixture
def letters() -> Callable[..., list[Message]]:
    """``letters(3)`` are three messages."""
    return lambda count, **fields: [letter(place, **fields) for place in range(count)]


@pytest.fixture(name="letter")
def letter_fixture() -> Callable[..., Message]:
    return letter


@dataclass
class Certificates:
    """A certificate authority's file, and server contexts."""

    ca_file: str
    chain: str
    key: str

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.chain, self.key)
        return context


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """A certificate for localhost and 127.0.0.1 that is its own authority."""
    folder: Path = tmp_path_factory.mktemp("certificates")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, key_file = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return Certificates(str(chain), str(chain), str(key_file))


def _needs(*programs: str, package: str = "postfix") -> None:
    """Skip where one of the programs is missing; fail where everything must be tried."""
    gone = [program for program in programs if not Path(program).exists()]
    if gone or os.geteuid() != 0:
        reason = f"needs {' '.join(gone) or 'root'} (Debian's package {package})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until(condition: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Return when something outside of this process is so; nothing tells us when."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        pause.wait(0.01)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def until() -> Callable[..., None]:
    return _until


@dataclass
class Sink:
    """Postfix's ``smtp-sink``: the folder holds a file for each message that it took."""

    port: int
    folder: Path

    def mails(self) -> list[bytes]:
        return [file.read_bytes() for file in sorted(self.folder.iterdir())]


@pytest.fixture
def sink() -> Iterator[Callable[..., Sink]]:
    """``sink("-p")`` is a running smtp-sink with these flags."""
    program = "/usr/sbin/smtp-sink"
    _needs(program)
    running: list[subprocess.Popen[bytes]] = []
    folders: list[Path] = []

    def start(*flags: str) -> Sink:
        folder = Path(tempfile.mkdtemp(prefix="sink"))  # not below pytest's, which nobody but root may enter
        folders.append(folder)
        shutil.chown(folder, "nobody")
        port = _free_port()
        command = [program, "-u", "nobody", "-d", f"{folder}/mail.", *flags, f"127.0.0.1:{port}", "1000"]
        running.append(subprocess.Popen(command))
        _until(lambda: _listens(port), "smtp-sink")
        return Sink(port, folder)

    yield start
    for process in running:
        process.terminate()
        process.wait()
    for folder in folders:
        shutil.rmtree(folder)


@dataclass
class Postfix:
    """A real Postfix, a port in clear and one with TLS from the first byte; it keeps the mail for kept.example."""

    folder: Path
    port: int
    tls_port: int
    auth_port: int

    def kept(self) -> list[bytes]:
        return [file.read_bytes() for file in sorted((self.folder / "mail" / "box" / "new").glob("*"))]

    def log(self) -> str:
        return (self.folder / "log").read_text()


_MAIN_CF = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
mail_owner = postfix
setgid_group = postdrop
myhostname = peer.example
mydestination =
inet_interfaces = loopback-only
mynetworks = 127.0.0.0/8
message_size_limit = 200000
cyrus_sasl_config_path = {folder}/etc/sasl
smtpd_sasl_local_domain = peer.example
smtpd_error_sleep_time = 0
smtpd_client_connection_count_limit = 0
smtpd_tls_security_level = may
smtpd_tls_chain_files = {key}, {chain}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_sender_restrictions = check_sender_access inline:{{ {{evil@shop.example = 550 5.7.1 not you}} }}
smtpd_recipient_restrictions = check_recipient_access inline:{{
    {{nobody@kept.example = 550 5.1.1 no such user}}
    {{later@kept.example = 450 4.2.1 busy}}
    {{grey@kept.example = 450 4.7.1 greylisted}} }}, permit
header_checks = regexp:{{ {{/^Subject: forbidden/ REJECT 5.7.1 spam}} }}
virtual_mailbox_domains = kept.example
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:box/
virtual_minimum_uid = 1
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
default_transport = discard
"""

_MASTER_CF = """
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{tls_port} inet n - n - - smtpd
    -o smtpd_tls_wrappermode=yes
127.0.0.1:{auth_port} inet n - n - - smtpd
    -o smtpd_sasl_auth_enable=yes
    -o smtpd_tls_auth_only=yes
    -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""


_SASL_CONF = """
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {folder}/etc/sasldb2
mech_list: {mechanisms}
"""


@pytest.fixture(scope="session")
def postfix(certificates: Certificates) -> Iterator[Postfix]:
    """A Postfix of our own, with its configuration, queue and mailbox in a folder that goes away."""
    master = "/usr/lib/postfix/sbin/master"
    _needs("/usr/sbin/postfix", master)
    folder = Path(tempfile.mkdtemp(prefix="postfix"))
    folder.chmod(0o755)
    for name, owner in (("etc", None), ("queue", None), ("data", "postfix"), ("mail", "nobody")):
        (folder / name).mkdir()
        if owner:
            shutil.chown(folder / name, owner)
    (folder / "etc" / "sasl").mkdir()
    made = Postfix(folder, _free_port(), _free_port(), _free_port())
    words = {"folder": folder, "key": certificates.key, "chain": certificates.chain}
    (folder / "etc" / "main.cf").write_text(_MAIN_CF.format(**words))
    ports = {"port": made.port, "tls_port": made.tls_port, "auth_port": made.auth_port}
    (folder / "etc" / "master.cf").write_text(_MASTER_CF.format(**ports))
    subprocess.run(["/usr/sbin/postfix", "-c", folder / "etc", "check"], check=True, capture_output=True)
    process = subprocess.Popen([master, "-c", str(folder / "etc"), "-s"], start_new_session=True)
    try:
        _until(lambda: _listens(made.port) and _listens(made.tls_port), "postfix")
        yield made
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


@pytest.fixture(params=["PLAIN", "LOGIN"])
def guarded(request: pytest.FixtureRequest, postfix: Postfix) -> Postfix:
    """The Postfix, which on its ``auth_port`` only takes mail of ada, whose password is ``secret``."""
    program = "/usr/sbin/saslpasswd2"
    _needs(program, package="sasl2-bin")
    settings = _SASL_CONF.format(folder=postfix.folder, mechanisms=request.param)
    (postfix.folder / "etc" / "sasl" / "smtpd.conf").write_text(settings)
    database = postfix.folder / "etc" / "sasldb2"
    command = [program, "-p", "-c", "-f", str(database), "-u", "peer.example", "ada"]
    subprocess.run(command, input=b"secret", check=True, capture_output=True)
    shutil.chown(database, "postfix")
    subprocess.run(["/usr/sbin/postfix", "-c", postfix.folder / "etc", "reload"], check=True, capture_output=True)
    return postfix
