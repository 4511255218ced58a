"""The maintenance program of one relation: its state tables, its delta tables and one PL/pgSQL function.

The flow calls the function once a barrier: `engine.step_<id>(barrier_now, barrier_last, initial, emit)` reads the delta
tables of the relation's inputs, updates the state, fills the relation's own delta table when `emit` is true, and returns
how many rows changed. With `initial` the input deltas hold the inputs' whole content and the state is empty.

Delta tables are temporary (ON COMMIT DELETE ROWS), made anew for each flow session from `Program.temporaries`. Operators write
programs by `engine.compile.builder`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from engine.operators.base import WEIGHT, Column, quote

SCHEMA = "engine"
WRITTEN = "_written"
"""The column of a state table whose rows expire: when the row was first written."""


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled relation as it is kept in the catalog. All fields are SQL text or plain values (JSON-safe)."""

    tables: tuple[str, ...]  # CREATE TABLE / CREATE INDEX for the state, in order
    temporaries: tuple[str, ...]  # CREATE TEMP TABLE for the deltas
    function: str  # CREATE FUNCTION engine.step_<id>
    columns: tuple[dict[str, Any], ...]  # name, type, hidden
    key: tuple[str, ...]
    append_only: bool
    content: str  # SELECT of all columns, hidden ones included
    storage: dict[str, tuple[str, str]]  # column -> (table, expression), for indexes
    uses_now: bool
    stepwise: bool  # a barrier costs what changed, in whatever order inputs come: they may be filled in piece by piece
    explain: tuple[str, ...]
    follows_watermarks: bool = False  # changes when a watermark moves, whether or not an input does
    watermarks: dict[str, str] = field(default_factory=dict)  # column -> SQL expression of its watermark
    cleans: bool = False  # deletes state that lies below watermarks, once the relation is filled

    def to_json(self) -> dict[str, Any]:
        """Plain values for a jsonb column."""
        return asdict(self)

    @staticmethod
    def from_json(value: dict[str, Any]) -> Program:
        """The reverse of `to_json`."""
        return Program(
            tables=tuple(value["tables"]),
            temporaries=tuple(value["temporaries"]),
            function=value["function"],
            columns=tuple(value["columns"]),
            key=tuple(value["key"]),
            append_only=value["append_only"],
            content=value["content"],
            storage={k: (v[0], v[1]) for k, v in value["storage"].items()},
            uses_now=value["uses_now"],
            explain=tuple(value["explain"]),
            stepwise=value.get("stepwise", False),
            follows_watermarks=value.get("follows_watermarks", False),
            watermarks=value.get("watermarks", {}),
            cleans=value.get("cleans", False),
        )

    def output_columns(self) -> tuple[Column, ...]:
        """The columns as values."""
        return tuple(Column(c["name"], c["type"], c["hidden"]) for c in self.columns)


_INDEX_ON = "CREATE INDEX ON "


def own_state(program: Program, relation_id: int) -> list[str]:
    """The statements for state tables of the relation's own and their indexes: quick, since these are empty."""
    borrowed = set(borrowed_indexes(program, relation_id).values())
    return [t for t in program.tables if t.removeprefix(_INDEX_ON) not in borrowed]


def borrowed_indexes(program: Program, relation_id: int) -> dict[str, str]:
    """Indexes on the storage of other relations, which the program probes: their names, and what stands behind ON.

    Those relations may hold much: who builds the indexes decides whether a barrier may wait for it.
    """
    own = f"{SCHEMA}.state_{relation_id}_"
    found = [t.removeprefix(_INDEX_ON) for t in program.tables if t.startswith(_INDEX_ON)]
    borrowed = [on for on in found if not on.startswith(own)]
    return {f"probe_{relation_id}_{number}": on for number, on in enumerate(borrowed, 1)}


def dropped_function(relation_id: int) -> list[str]:
    """The statements that drop a relation's function, and let go of what this session has kept of it.

    PL/pgSQL keeps a function's compiled text with the plans of all its statements, half a megabyte, as long as the session
    lasts, though the function is dropped; only a call of the same function with another text lets go of it (all but 8 kB).
    """
    name = f"{SCHEMA}.step_{relation_id}"
    return [
        f"CREATE OR REPLACE FUNCTION {name}(barrier_now timestamptz, barrier_last timestamptz, initial boolean, emit boolean) "
        "RETURNS bigint LANGUAGE plpgsql AS $step$ DECLARE rows bigint; BEGIN RETURN rows; END $step$",
        f"SELECT {name}(NULL, NULL, NULL, NULL)",
        f"DROP FUNCTION {name}",
    ]


def delta_name(relation_id: int) -> str:
    """The temporary table that holds a relation's changes of the current barrier."""
    return f"pg_temp.delta_{relation_id}"


def temporary_table(name: str, columns: Sequence[Column]) -> str:
    """DDL of a delta table: the columns and the weight.

    Short values are stored PLAIN, so that the table needs no TOAST table: emptying 33 of these with their indexes cost 20 ms
    at every commit, without them 1.7 ms. A row over 8 kB then fails with 54000; `toastable` gives the DDL that takes it.
    """
    body = ", ".join(f"{quote(c.name)} {c.type}{_storage(c.type)}" for c in columns)
    body = f"{body}, {WEIGHT} integer NOT NULL DEFAULT 1" if body else f"{WEIGHT} integer NOT NULL DEFAULT 1"
    return f"CREATE TEMP TABLE IF NOT EXISTS {name.removeprefix('pg_temp.')} ({body}) ON COMMIT DELETE ROWS"


def toastable(ddl: str) -> str:
    """The DDL of `temporary_table` for rows of any size."""
    return ddl.replace(_PLAIN, "")


_PLAIN = " STORAGE PLAIN"


def _storage(type_: str) -> str:
    """PLAIN but for the types whose values are often long."""
    return "" if type_ in ("bytea", "jsonb") or type_.endswith("[]") else _PLAIN
