"""INSERT, UPDATE and DELETE on `devices` while readings are looked up in it; read back after a FLUSH."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.chaos.disturbances.base import now_ms
from tests.chaos.schedule import Parameters
from tests.chaos.stack import Stack


@dataclass(frozen=True, slots=True)
class RegistryChanges:
    name: str = "registry changes"
    weight: int = 1

    def draw(self, random: Random) -> Parameters:
        return {"rows": random.choice((1, 10, 200)), "tag": random.getrandbits(16)}

    def missing(self, stack: Stack) -> str | None:
        return None

    def disturb(self, stack: Stack, parameters: Parameters) -> tuple[int, list[str]]:
        site, rows = f"chaos {parameters['tag']}", int(parameters["rows"])
        with stack.connect() as connection:
            connection.execute("SET RW_IMPLICIT_FLUSH = true")
            known = connection.execute(
                "SELECT device_id FROM devices ORDER BY device_id LIMIT %s", (rows,)
            ).fetchall()
            for (device_id,) in known:
                connection.execute("UPDATE devices SET site = %s WHERE device_id = %s", (site, device_id))
            for number in range(rows):
                values = (f"chaos-{parameters['tag']}-{number}", "pump", site)
                connection.execute("INSERT INTO devices VALUES (%s, %s, %s)", values)
            there = connection.execute("SELECT count(*) FROM devices WHERE site = %s", (site,)).fetchone()
            connection.execute(
                "DELETE FROM devices WHERE device_id LIKE %s", (f"chaos-{parameters['tag']}-%",)
            )
            left = connection.execute("SELECT count(*) FROM devices WHERE site = %s", (site,)).fetchone()
        wanted = ((len(known) + rows,), (len(known),))
        found = [] if (there, left) == wanted else [f"devices: wanted {wanted} rows, got {(there, left)}"]
        return now_ms(), found
