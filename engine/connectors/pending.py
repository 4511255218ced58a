"""What has been read and decoded and waits for the flow, in order; cut into batches of any size on the way
out.

Not synchronised: the reader guards it with its lock. A batch never holds rows of two generations of a topic.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from engine.connectors.decode import Decoded
from engine.connectors.source import Batch, NewGeneration, Position


@dataclass(slots=True)
class _Entry:
    topic_id: str
    decoded: Decoded
    new_generations: list[NewGeneration] = field(default_factory=list)


class Pending:
    """A queue of decoded reads; `rows` and `size_bytes` say how much waits."""

    def __init__(self) -> None:
        self._entries: deque[_Entry] = deque()
        self.rows = 0
        self.size_bytes = 0

    def __bool__(self) -> bool:
        return bool(self._entries)

    def append(
        self, topic_id: str, decoded: Decoded, new_generations: list[NewGeneration] | None = None
    ) -> None:
        """Add one read. `new_generations` belong before its rows."""
        self._entries.append(_Entry(topic_id, decoded, new_generations or []))
        self.rows += len(decoded.rows)
        self.size_bytes += decoded.size_bytes

    def take(self, max_rows: int) -> Batch | None:
        """Everything that waits, up to `max_rows` (at least 1) and up to the next generation; None when
        nothing does.
        """
        if not self._entries:
            return None
        batch = Batch()
        topic_id = self._entries[0].topic_id
        while self._entries and len(batch.rows) < max_rows:
            entry = self._entries[0]
            if entry.topic_id != topic_id:
                break
            part = entry.decoded
            room = max_rows - len(batch.rows)
            if len(part.rows) > room:
                part = _cut(part, room)
            else:
                self._entries.popleft()
            batch.new_generations += entry.new_generations
            entry.new_generations = []
            batch.rows += part.rows
            batch.skipped += part.skipped
            batch.nulled += part.nulled
            batch.rejects += part.rejects
            for partition, offset in part.after.items():
                batch.positions[partition] = Position(topic_id, partition, offset)
            self.rows -= len(part.rows)
            self.size_bytes -= part.size_bytes
        return batch


def _cut(decoded: Decoded, count: int) -> Decoded:
    """Take the first `count` rows out of a read, with their share of its bytes; what it skipped and nulled
    stays behind.
    """
    origins = zip(decoded.partitions[:count], decoded.offsets[:count], strict=True)
    head = Decoded(
        decoded.rows[:count],
        decoded.partitions[:count],
        decoded.offsets[:count],
        {partition: offset + 1 for partition, offset in origins},
        decoded.size_bytes * count // len(decoded.rows),
    )
    del decoded.rows[:count], decoded.partitions[:count], decoded.offsets[:count]
    decoded.size_bytes -= head.size_bytes
    return head
