"""All disturbances. Seeds mean something by this order and these weights: see seeds.yaml before changing them."""

from __future__ import annotations

from tests.chaos.disturbances.base import Disturbance
from tests.chaos.disturbances.clock_jump import ClockJump
from tests.chaos.disturbances.ddl import Ddl
from tests.chaos.disturbances.full_disk import FullDisk
from tests.chaos.disturbances.kill import Kill, KillBackend, KillLauncher, KillLoader
from tests.chaos.disturbances.long_reader import LongReader
from tests.chaos.disturbances.pause import Pause
from tests.chaos.disturbances.recreate_topic import RecreateTopic
from tests.chaos.disturbances.registry_changes import RegistryChanges
from tests.chaos.disturbances.sink_target import KillSinkTarget
from tests.chaos.disturbances.slow_disk import SlowDisk
from tests.chaos.disturbances.storm import Storm

DISTURBANCES: tuple[Disturbance, ...] = (
    Kill("flow", weight=2),
    Kill("wire"),
    Kill("postgres", weight=2),
    Kill("broker", weight=2),
    Kill("engine"),
    Kill("delivery"),
    KillBackend(),
    KillLoader(),
    KillLauncher(),
    Pause("flow"),
    Pause("wire"),
    Pause("postgres"),
    Pause("broker"),
    Pause("engine"),
    Pause("loader"),
    Pause("launcher"),
    Pause("delivery"),
    ClockJump(),
    FullDisk("engine"),
    FullDisk("broker"),
    RecreateTopic(),
    LongReader(),
    Ddl(),
    RegistryChanges(),
    Storm(),
    KillSinkTarget(),
    SlowDisk("engine"),
    SlowDisk("broker"),
)


def named(text: str | None, without: str | None = None) -> list[Disturbance]:
    """Those that have `text` in their name and not `without`; None: all, and nothing left out."""
    found = [each for each in DISTURBANCES if text is None or text in each.name]
    return [each for each in found if without is None or without not in each.name]
