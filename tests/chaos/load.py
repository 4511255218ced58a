"""What sends: the loader as a process that may be killed, and a witness that lives in the harness and is never disturbed.

The witness is an idempotent producer that remembers of each of its messages the offset with which the broker acknowledged it: it
sees through every restart of the broker. The loader's own account is a lower bound after a kill -9 (see `account.Sent`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confluent_kafka import Producer

from tailrace.config import READINGS
from tests.chaos.account import Acknowledged, Sent

PATIENCE_S = 120.0
WITNESS_EVERY_S = 0.02


@dataclass(slots=True)
class _Run:
    summary: Path
    told: Path
    process: subprocess.Popen[bytes]
    ended_in_order: bool = False


class Loader:
    """One loader at a time, each with its own run; `sent` tells what all of them say."""

    def __init__(self, directory: Path, bootstrap: str, devices: int, rate: int, seed: int) -> None:
        self._directory = directory
        self._options = ["--bootstrap", bootstrap, "--devices", str(devices), "--rate", str(rate)]
        self._options += ["--seed", str(seed), "--patience", f"{PATIENCE_S:g}", "--progress", "json"]
        self._runs: list[_Run] = []

    @property
    def pid(self) -> int | None:
        """None when none runs."""
        run = self._runs[-1] if self._runs else None
        return run.process.pid if run and run.process.poll() is None else None

    def start(self) -> None:
        number = len(self._runs) + 1
        told, summary = self._directory / f"loader-{number}.jsonl", self._directory / f"loader-{number}.json"
        with told.open("wb") as out, (self._directory / "loader.log").open("ab") as log:
            command = [sys.executable, "-m", "loader", *self._options, "--summary", str(summary)]
            self._runs.append(_Run(summary, told, subprocess.Popen(command, stdout=out, stderr=log)))

    def kill(self) -> None:
        """kill -9; what it had sent lately nobody knows but the topic."""
        run = self._runs[-1]
        run.process.kill()
        run.process.wait(20)

    def stop(self) -> list[str]:
        """End the stream in order, all acknowledgements seen; what is wrong with its end, if anything."""
        run = self._runs[-1]
        if run.process.poll() is None:
            run.process.terminate()
        code = run.process.wait(PATIENCE_S + 30)
        run.ended_in_order = code == 0
        return (
            []
            if code == 0
            else [f"loader: run {len(self._runs)} ended with code {code}: {self._complaint()}"]
        )

    def died(self) -> list[str]:
        """What is wrong when the loader has ended though nobody ended it."""
        run = self._runs[-1]
        code = run.process.poll()
        return [] if code is None else [f"loader: ended by itself with code {code}: {self._complaint()}"]

    def sent(self) -> list[Sent]:
        return [self._sent(number, run) for number, run in enumerate(self._runs, 1)]

    def _sent(self, number: int, run: _Run) -> Sent:
        if run.ended_in_order:
            summary = json.loads(run.summary.read_bytes())
            return Sent(number, summary["produced"], complete=not summary["failed"])
        lines = [line for line in run.told.read_bytes().split(b"\n")[:-1] if line.startswith(b"{")]
        return Sent(number, json.loads(lines[-1])["produced"] if lines else 0, complete=False)

    def _complaint(self) -> str:
        text = (self._directory / "loader.log").read_text(errors="replace").strip()
        return " | ".join(text.splitlines()[-3:])


class Witness:
    """A device of its own, one reading every 20 ms, in a thread; `acknowledged` grows."""

    def __init__(self, bootstrap: str, tag: str) -> None:
        self.acknowledged: list[Acknowledged] = []
        self.failed: list[str] = []
        self.sent = 0
        self._tag = tag
        self._producer = Producer(
            {"bootstrap.servers": bootstrap, "enable.idempotence": True, "acks": "all", "linger.ms": 5}
            | {"message.timeout.ms": 300_000, "reconnect.backoff.max.ms": 500, "log_level": 0}
        )
        self._stop = threading.Event()
        self._free = threading.Event()
        self._free.set()
        self._quiet = threading.Event()
        self._thread = threading.Thread(target=self._run, name="witness", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def pause(self) -> None:
        """Send no more until `go_on`; returns when everything sent has been acknowledged or has failed."""
        self._free.clear()
        assert self._quiet.wait(330), "the witness's messages were neither acknowledged nor refused"

    def go_on(self) -> None:
        self._quiet.clear()
        self._free.set()

    def close(self) -> None:
        if self._free.is_set():
            self.pause()
        self._stop.set()
        self._free.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self._stop.is_set():
            if not self._free.is_set():
                self._producer.flush(320)
                self._quiet.set()
                self._free.wait()
                continue
            self._send()
            self._producer.poll(0)
            self._stop.wait(WITNESS_EVERY_S)

    def _send(self) -> None:
        self.sent += 1
        event_id, device = f"witness-{self._tag}-{self.sent}", f"witness-{self.sent % 3}"
        now = datetime.now(UTC)
        reading = {
            "event_id": event_id,
            "device_id": device,
            "metric": "number",
            "value": float(self.sent % 1000),
        }
        reading["ts"] = now.isoformat(timespec="milliseconds")

        def delivered(error: Any, message: Any) -> None:
            if error is None:
                self.acknowledged.append(Acknowledged(event_id, message.partition(), message.offset()))
            else:
                self.failed.append(f"{event_id}: {error}")

        try:
            self._producer.produce(
                READINGS.name,
                json.dumps(reading).encode(),
                device.encode(),
                on_delivery=delivered,
                timestamp=round(now.timestamp() * 1000),
            )
        except BufferError:
            self.sent -= 1
