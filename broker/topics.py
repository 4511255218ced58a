"""The topics of the broker: made, found, widened, deleted; each a folder `topics/<name>/`.

Job: keep `topic.json` (id, partitions, settings) and the partitions' logs. A topic appears and disappears as a
whole, by renaming its folder. Single-threaded; deleted folders are removed later by `sweep_deleted`. Callers:
handlers, upkeep.
"""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from broker.files import sync_folder, write_whole
from broker.partition import Partition
from broker.refusal import ErrorCode, Refusal
from broker.topic_config import TopicConfig

MAX_PARTITIONS: Final = 1000
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")


class Topic:
    """One topic with its open partitions."""

    def __init__(self, folder: Path) -> None:
        stored = json.loads((folder / "topic.json").read_bytes())
        self.folder = folder
        self.name = folder.name
        self.id = uuid.UUID(stored["id"])
        self.config = TopicConfig(stored["config"])
        self.partitions: list[Partition] = []
        for index in range(stored["partitions"]):
            self._open(index)

    def _open(self, index: int) -> Partition:
        partition = Partition(self.folder / str(index), self.name, index, self.config)
        self.partitions.append(partition)
        return partition

    def widen(self, count: int) -> list[Partition]:
        """Add partitions until there are `count`; returns the new ones."""
        _store(self.folder, self.id, count, self.config.overrides)
        return [self._open(index) for index in range(len(self.partitions), count)]

    def configure(self, overrides: Mapping[str, str]) -> None:
        """Replace the settings; they hold at once."""
        self.config = TopicConfig(overrides)
        _store(self.folder, self.id, len(self.partitions), self.config.overrides)
        for partition in self.partitions:
            partition.config = self.config


class Topics:
    """All topics by name. `on_write` is told of every write to any partition, with its bytes."""

    def __init__(self, folder: Path, on_write: Callable[[Partition, int], None]) -> None:
        self._folder = folder
        self._on_write = on_write
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".*"):  # half made, or half deleted
            shutil.rmtree(left)
        self.by_name = {path.name: Topic(path) for path in sorted(folder.iterdir())}
        for partition in self.partitions():
            partition.on_write = on_write

    def partitions(self) -> Iterator[Partition]:
        """Every partition of every topic."""
        for topic in tuple(self.by_name.values()):
            yield from topic.partitions

    def partition(self, name: str, index: int) -> Partition:
        """Raises Refusal when there is none."""
        topic = self.by_name.get(name)
        if topic is None or not 0 <= index < len(topic.partitions):
            raise Refusal(ErrorCode.unknown_topic_or_partition, f"there is no partition {index} of {name}")
        return topic.partitions[index]

    def check_new(self, name: str, partitions: int) -> None:
        """Raises Refusal when such a topic cannot be made."""
        if not _NAME.fullmatch(name) or name in {".", ".."} or name.startswith("."):
            raise Refusal(
                ErrorCode.invalid_topic_exception, "1 to 249 letters, digits, '_', '-', '.'; no '.' first"
            )
        if name in self.by_name:
            raise Refusal(ErrorCode.topic_already_exists, f"topic {name} is there already")
        if not 1 <= partitions <= MAX_PARTITIONS:
            raise Refusal(ErrorCode.invalid_partitions, f"1 to {MAX_PARTITIONS} partitions")

    def create(self, name: str, partitions: int, overrides: Mapping[str, str]) -> Topic:
        """Make a topic, durably. Raises Refusal."""
        self.check_new(name, partitions)
        beside = self._folder / f".new-{name}"
        shutil.rmtree(beside, ignore_errors=True)
        try:
            beside.mkdir()
            _store(beside, uuid.uuid4(), partitions, overrides)
            beside.rename(self._folder / name)
            sync_folder(self._folder)
            topic = Topic(self._folder / name)
        except OSError as error:
            raise Refusal(ErrorCode.kafka_storage_error, f"the disk refuses: {error.strerror}") from error
        for partition in topic.partitions:
            partition.on_write = self._on_write
        self.by_name[name] = topic
        return topic

    def check_wider(self, name: str, count: int) -> Topic:
        """The topic, if it may have `count` partitions; raises Refusal."""
        topic = self.by_name.get(name)
        if topic is None:
            raise Refusal(ErrorCode.unknown_topic_or_partition, f"there is no topic {name}")
        if not len(topic.partitions) < count <= MAX_PARTITIONS:
            message = (
                f"topic {name} has {len(topic.partitions)} partitions; wanted more, up to {MAX_PARTITIONS}"
            )
            raise Refusal(ErrorCode.invalid_partitions, message)
        return topic

    def widen(self, name: str, count: int) -> None:
        """Give a topic more partitions. Raises Refusal."""
        for partition in self.check_wider(name, count).widen(count):
            partition.on_write = self._on_write

    def delete(self, name: str) -> None:
        """Take a topic away; its files go at the next `sweep_deleted`. Raises Refusal."""
        topic = self.by_name.pop(name, None)
        if topic is None:
            raise Refusal(ErrorCode.unknown_topic_or_partition, f"there is no topic {name}")
        topic.folder.rename(self._folder / f".deleted-{topic.id}")
        for partition in topic.partitions:
            partition.log.close()
            partition.is_deleted = True
            partition.wake()

    def sweep_deleted(self) -> None:
        """Remove the files of deleted topics; may run in a thread."""
        for path in self._folder.glob(".deleted-*"):
            shutil.rmtree(path, ignore_errors=True)


def _store(folder: Path, topic_id: uuid.UUID, partitions: int, overrides: Mapping[str, str]) -> None:
    content = {"id": str(topic_id), "partitions": partitions, "config": dict(overrides)}
    write_whole(folder / "topic.json", json.dumps(content, indent=2).encode())
