"""Apache Kafka, one node in KRaft mode: broker and controller in one process."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import ssl
import subprocess
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from .certificate import Certificate
from .ports import LOOPBACK
from .process import Unavailable, program
from .server import Server

VERSION: Final = "4.4.0"
_POM: Final = Path(__file__).with_name("kafka-pom.xml")
_API_VERSIONS: Final = bytes.fromhex("0012 0000 00000001 ffff")  # the request that even a stranger may make
_SETTINGS: Final[Mapping[str, str]] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "inter.broker.listener.name": "INTERNAL",
    "controller.listener.names": "CONTROLLER",
    "broker.session.timeout.ms": "3000",  # for so long one that was shot is kept from coming back
    "broker.heartbeat.interval.ms": "500",
    "auto.create.topics.enable": "false",  # a mistyped topic is found, not made
    "group.initial.rebalance.delay.ms": "0",
    "group.consumer.min.heartbeat.interval.ms": "100",  # who joins or leaves is heard of soon
    "group.consumer.heartbeat.interval.ms": "250",
    "group.consumer.min.session.timeout.ms": "3000",
    "group.consumer.session.timeout.ms": "6000",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "log.segment.bytes": "16777216",
}


class KafkaServer(Server):
    """A Kafka. ``settings`` as in server.properties; ``users`` are names and passwords of SASL PLAIN, ``tls`` encrypts.

    :attr:`servers` is for clients; :attr:`inner_servers` is a listener without either, for those who prepare a test.
    """

    name = "kafka"
    ports_needed = 3

    def __init__(
        self,
        folder: Path,
        *,
        settings: Mapping[str, str] | None = None,
        users: Mapping[str, str] | None = None,
        tls: Certificate | None = None,
    ) -> None:
        super().__init__(folder, settings=settings)
        self._users = dict(users or {})
        self._tls = tls

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"kafka://{self.servers}"

    @property
    def servers(self) -> str:
        """What clients call ``bootstrap.servers``."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def inner_servers(self) -> str:
        """The same broker, where it asks nobody who they are."""
        return f"{LOOPBACK}:{self.ports[1]}"

    @property
    def protocol(self) -> str:
        """What clients call ``security.protocol``."""
        return ("SASL_" if self._users else "") + ("SSL" if self._tls else "PLAINTEXT")

    def prepare(self) -> None:
        """Format its folder, under a new cluster id."""
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
        words = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", f"--config={self._properties()}"]
        subprocess.run(
            [*self._java("-XX:TieredStopAtLevel=1"), *words], check=True, capture_output=True, text=True, cwd=self.place
        )

    def command(self) -> list[str]:
        """Return how it is started, with its settings written down."""
        return [*self._java("-Xmx512m"), "kafka.Kafka", str(self._properties())]

    def answers(self) -> bool:
        """Return whether it tells which requests it knows: that much it tells a stranger."""
        request = len(_API_VERSIONS).to_bytes(4, "big") + _API_VERSIONS
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=2) as plain, self._encrypted(plain) as asked:
                asked.sendall(request)
                with asked.makefile("rb") as reply:
                    size = int.from_bytes(reply.read(4), "big")
                    return size > 6 and reply.read(6) == b"\0\0\0\1\0\0"  # our number, no error
        except OSError:
            return False

    def _encrypted(self, plain: socket.socket) -> socket.socket:
        if self._tls is None:
            return plain
        context = ssl.create_default_context(cafile=str(self._tls.chain))
        context.check_hostname = False  # some tests want the wrong name
        return context.wrap_socket(plain)

    def _properties(self) -> Path:
        clients, inner, controller = (f"{LOOPBACK}:{port}" for port in self.ports)
        settings = {
            **_SETTINGS,
            "controller.quorum.voters": f"1@{controller}",
            "listeners": f"CLIENTS://{clients},INTERNAL://{inner},CONTROLLER://{controller}",
            "advertised.listeners": f"CLIENTS://{clients},INTERNAL://{inner}",
            "listener.security.protocol.map": f"CLIENTS:{self.protocol},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": str(self.place / "data"),
            **self._identities(),
            **self._encryption(),
            **self.settings,
        }
        file = self.place / "server.properties"
        file.touch(mode=0o600)
        file.write_text("".join(f"{name}={value}\n" for name, value in settings.items()), "utf-8")
        return file

    def _identities(self) -> dict[str, str]:
        if not self._users:
            return {}
        known = " ".join(f'user_{name}="{password}"' for name, password in self._users.items())
        module = "org.apache.kafka.common.security.plain.PlainLoginModule"
        return {
            "listener.name.clients.sasl.enabled.mechanisms": "PLAIN",
            "listener.name.clients.plain.sasl.jaas.config": f"{module} required {known};",
        }

    def _encryption(self) -> dict[str, str]:
        if self._tls is None:
            return {}
        store = self.place / "keystore.pem"
        store.touch(mode=0o600)
        store.write_bytes(self._tls.key.read_bytes() + self._tls.chain.read_bytes())
        return {
            "listener.name.clients.ssl.keystore.type": "PEM",
            "listener.name.clients.ssl.keystore.location": str(store),
        }

    @staticmethod
    def _java(*flags: str) -> list[str]:
        quick = ["-XX:+UseSerialGC", "-Xshare:auto"]
        return [program("java", "default-jre-headless"), *quick, *flags, "-cp", f"{libraries()}/*"]


def libraries() -> Path:
    """Return the folder of Kafka's jars, fetched once for all clones on this machine; raise :class:`Unavailable`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pagerd"
    libs = cache / f"kafka-{VERSION}"
    if libs.exists():
        return libs
    maven = program("mvn", "maven")
    cache.mkdir(parents=True, exist_ok=True)
    fetched = Path(tempfile.mkdtemp(prefix="fetching-", dir=cache))
    try:
        words = [maven, "--quiet", "--batch-mode", f"--file={_POM}", f"-Dkafka.version={VERSION}"]
        words += ["dependency:copy-dependencies", f"-DoutputDirectory={fetched}"]
        done = subprocess.run(words, check=False, capture_output=True, text=True)
        if done.returncode != 0:
            raise Unavailable(f"Kafka {VERSION} could not be fetched:\n{done.stdout}{done.stderr}")
        if not libs.exists():
            fetched.rename(libs)
    finally:
        shutil.rmtree(fetched, ignore_errors=True)
    return libs
