"""The topics: made where they are missing, and checked before anything is published or taken. Blocks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pagerd.adapters.kafka.failures import names_of, translated
from pagerd.adapters.kafka.library import LARGEST, common, library
from pagerd.adapters.kafka.settings import KafkaSettings
from pagerd.core.errors import Misconfigured
from pagerd.core.policy import Priority

_PATIENCE: Final = 10.0
_STEP: Final = 1.0
SMALLEST: Final = 65_536
"""Bytes: below, most batches would not fit into a record."""


class Topics:
    """Looks after the topics of both priorities."""

    def __init__(self, settings: KafkaSettings) -> None:
        from confluent_kafka.admin import AdminClient

        self._settings = settings
        self._names = [settings.topic(priority) for priority in Priority]
        self._errors: list[Any] = []
        self._admin = AdminClient(common(settings, self._errors.append))

    def ready(self) -> int:
        """Create what is missing, check what is there; return how many bytes a record may have.

        Raises :class:`Misconfigured` or :class:`Unavailable`.
        """
        found = self._found()
        missing = [name for name in self._names if name not in found]
        if missing:
            self._create(missing)
        self._enough(found)
        return self._largest()

    def look(self) -> str:
        """Say what is there, and change nothing; raise as :meth:`ready` does."""
        found = self._found()
        self._enough(found)
        words = [
            f"{name} has {found[name]} partitions" if name in found else f"{name} is made at the first start"
            for name in self._names
        ]
        return f"{self._settings.servers}: {', '.join(words)}"

    def _enough(self, found: Mapping[str, int]) -> None:
        wanted = self._settings.partitions
        for name, partitions in found.items():
            if partitions < wanted:
                raise Misconfigured(
                    f"queue: topic {name} has {partitions} partitions, fewer than partitions={wanted}",
                    code="queue_partitions",
                    remedy=f"kafka-topics.sh --alter --topic {name} --partitions {wanted}, or lower the setting: at "
                    "most so many workers take part.",
                )

    def check(self) -> None:
        """Return when the broker answers and the topics are there; raise as :meth:`ready` does."""
        found = self._found()
        for name in self._names:
            if name not in found:
                raise Misconfigured(
                    f"queue: topic {name} is missing (prefix={self._settings.prefix})",
                    code="queue_topic_missing",
                    remedy="Start pagerd again: it creates the topics, where it may.",
                )

    def lag(self) -> int:
        """Return how many records of both topics the group has not committed yet."""
        from confluent_kafka import ConsumerGroupTopicPartitions
        from confluent_kafka.admin._listoffsets import OffsetSpec

        lib = library()
        places = [lib.TopicPartition(name, n) for name, count in self._found().items() for n in range(count)]
        try:
            group = ConsumerGroupTopicPartitions(self._settings.group, places)
            (known,) = self._admin.list_consumer_group_offsets([group], request_timeout=_PATIENCE).values()
            done = {(one.topic, one.partition): one.offset for one in known.result().topic_partitions}
            latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
            earliest: Any = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
            end = self._admin.list_offsets(dict.fromkeys(places, latest), request_timeout=_PATIENCE)
            begin = self._admin.list_offsets(dict.fromkeys(places, earliest), request_timeout=_PATIENCE)
            behind = (
                end[place].result().offset - max(done[place.topic, place.partition], begin[place].result().offset)
                for place in places
            )
            return sum(max(0, records) for records in behind)
        except lib.KafkaException as error:
            raise translated(error.args[0], self._settings) from error

    def _found(self) -> dict[str, int]:
        """Return how many partitions each of our topics has that is there."""
        lib = library()
        known = self._described()
        found: dict[str, int] = {}
        for name in self._names:
            topic = known.get(name)
            if topic is None or (topic.error and topic.error.code() == lib.KafkaError.UNKNOWN_TOPIC_OR_PART):
                continue
            if topic.error:
                raise translated(topic.error, self._settings)
            found[name] = len(topic.partitions)
        return found

    def _described(self) -> Any:
        """Return what the broker says of all topics; raise as soon as it is known why it says nothing."""
        lib = library()
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                return self._admin.list_topics(timeout=min(_STEP, _PATIENCE)).topics
            except lib.KafkaException as error:
                self._admin.poll(0)  # its errors are told only to whoever asks
                telling = [e for e in self._errors if e.code() in names_of("_AUTHENTICATION", "_SSL")]
                if telling or time.monotonic() >= until:
                    raise translated(telling[-1] if telling else error.args[0], self._settings) from error

    def _create(self, names: Sequence[str]) -> None:
        from confluent_kafka.cimpl import NewTopic

        lib = library()
        given = self._settings
        wanted = [NewTopic(name, given.partitions, given.replication) for name in names]
        for name, future in self._admin.create_topics(wanted, operation_timeout=_PATIENCE).items():
            try:
                future.result()
            except lib.KafkaException as error:
                if error.args[0].code() != lib.KafkaError.TOPIC_ALREADY_EXISTS:
                    raise self._not_made(name, error.args[0]) from error

    def _not_made(self, name: str, error: Any) -> Exception:
        lib = library()
        if error.code() in (lib.KafkaError.TOPIC_AUTHORIZATION_FAILED, lib.KafkaError.CLUSTER_AUTHORIZATION_FAILED):
            given = self._settings
            return Misconfigured(
                f"queue: topic {name} is missing, and username={given.username or 'nobody'} may not create it",
                code="queue_topic_missing",
                remedy=f"kafka-topics.sh --create --topic {name} --partitions {given.partitions} "
                f"--replication-factor {given.replication}, or grant CREATE on the cluster.",
            )
        return translated(error, self._settings)

    def _largest(self) -> int:
        """Return how many bytes a record may have, in every topic of ours."""
        from confluent_kafka.admin._config import ConfigResource
        from confluent_kafka.admin._resource import ResourceType

        lib = library()
        asked = [ConfigResource(ResourceType.TOPIC, name) for name in self._names]
        sizes = [LARGEST]
        for topic, future in self._admin.describe_configs(asked, request_timeout=_PATIENCE).items():
            try:
                size = int(future.result()["max.message.bytes"].value)
            except lib.KafkaException:  # without the right to look: what most brokers take; the producer says if not
                continue
            if size < SMALLEST:
                raise Misconfigured(
                    f"queue: topic {topic.name} takes records of {size} bytes only (max.message.bytes)",
                    code="queue_record_size",
                    remedy=f"Raise it to {SMALLEST} at least, better to 1048588.",
                )
            sizes.append(size)
        return min(sizes)


async def examined(settings: KafkaSettings) -> str:
    """Return in words what is at the other end of the settings, without changing it; raise what is wrong."""
    return await asyncio.to_thread(lambda: Topics(settings).look())
