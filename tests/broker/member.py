"""A group member as a process of its own, so that it can be killed: `python -m tests.broker.member BOOTSTRAP GROUP TOPIC`.

Prints `ASSIGNED n` with the number of its partitions after every rebalance, and polls until it is ended.
"""

from __future__ import annotations

import sys

from confluent_kafka import Consumer, TopicPartition

SESSION_MS = 6_000


def main() -> None:
    bootstrap, group, topic = sys.argv[1:]
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": group, "session.timeout.ms": SESSION_MS}
        | {"heartbeat.interval.ms": 500, "auto.offset.reset": "earliest"}
    )

    def on_assign(_consumer: Consumer, partitions: list[TopicPartition]) -> None:
        print(f"ASSIGNED {len(partitions)}", flush=True)

    consumer.subscribe([topic], on_assign=on_assign)
    while True:
        consumer.poll(0.2)


if __name__ == "__main__":
    main()
