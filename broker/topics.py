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

from broker.files import sync, write_whole
from broker.partition import Partition
from broker.refusal import ErrorCode, Refusal, disk
from broker.topic_config import TopicConfig

MAX_PARTITIONS: Final = 1000
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")


class Topic:
    """One topic with its open partitions."""

    def __init__(self, folder: Path, on_write: Callable[[Partition, int], None]) -> None:
        stored = json.loads((folder / "topic.json").read_bytes())
        self.folder = folder
        self.name = folder.name
        self.id = uuid.UUID(stored["id"])
        self.config = TopicConfig(stored["config"])
        self._on_write = on_write
        self.partitions: list[Partition] = []
        self._open(stored["partitions"])

    def _open(self, count: int) -> None:
        for index in range(len(self.partitions), count):
            folder = self.folder / str(index)
            self.partitions.append(Partition(folder, self.name, index, self.config, self._on_write))

    def widen(self, count: int) -> None:
        """Add partitions until there are `count`. Raises OSError; asked again, it goes on where it stopped."""
        _store(self.folder, self.id, count, self.config.overrides)
        self._open(count)

    def configure(self, overrides: Mapping[str, str]) -> None:
        """Replace the settings; they hold at once. Raises Refusal, and then the old ones go on."""
        with disk():
            _store(self.folder, self.id, len(self.partitions), overrides)
        self.config = TopicConfig(overrides)
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
        self.by_name = {path.name: Topic(path, on_write) for path in sorted(folder.iterdir())}

    def partitions(self) -> Iterator[Partition]:
        """Every partition of every topic."""
        for topic in tuple(self.by_name.values()):
            yield from topic.partitions

    def topic(self, name: str) -> Topic:
        """Raises Refusal when there is none."""
        if name not in self.by_name:
            raise Refusal(ErrorCode.unknown_topic_or_partition, f"there is no topic {name}")
        return self.by_name[name]

    def by_id(self, topic_id: uuid.UUID) -> Topic:
        """Raises Refusal when there is none."""
        for topic in self.by_name.values():
            if topic.id == topic_id:
                return topic
        raise Refusal(ErrorCode.unknown_topic_id)

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
        """Make a topic, durably. Raises Refusal, and then nothing of it is there."""
        self.check_new(name, partitions)
        beside, place = self._folder / f".new-{name}", self._folder / name
        with disk():
            try:
                shutil.rmtree(beside, ignore_errors=True)
                beside.mkdir()
                _store(beside, uuid.uuid4(), partitions, overrides)
                beside.rename(place)
                sync(self._folder)
                topic = self.by_name[name] = Topic(place, self._on_write)
            except OSError:
                shutil.rmtree(place, ignore_errors=True)
                raise
        return topic

    def check_wider(self, name: str, count: int) -> Topic:
        """The topic, if it may have `count` partitions; raises Refusal."""
        topic = self.topic(name)
        if not len(topic.partitions) < count <= MAX_PARTITIONS:
            message = (
                f"topic {name} has {len(topic.partitions)} partitions; wanted more, up to {MAX_PARTITIONS}"
            )
            raise Refusal(ErrorCode.invalid_partitions, message)
        return topic

    def widen(self, name: str, count: int) -> None:
        """Give a topic more partitions. Raises Refusal."""
        with disk():
            self.check_wider(name, count).widen(count)

    def delete(self, name: str) -> None:
        """Take a topic away; its files go at the next `sweep_deleted`. Raises Refusal."""
        topic = self.topic(name)
        with disk():
            topic.folder.rename(self._folder / f".deleted-{topic.id}")
        del self.by_name[name]
        for partition in topic.partitions:
            partition.log.close()
            partition.is_deleted = True
            partition.wake()
        with disk():
            sync(self._folder)

    def sweep_deleted(self) -> None:
        """Remove the files of deleted topics; may run in a thread."""
        for path in self._folder.glob(".deleted-*"):
            shutil.rmtree(path, ignore_errors=True)


def _store(folder: Path, topic_id: uuid.UUID, partitions: int, overrides: Mapping[str, str]) -> None:
    content = {"id": str(topic_id), "partitions": partitions, "config": dict(overrides)}
    write_whole(folder / "topic.json", json.dumps(content, indent=2).encode())
