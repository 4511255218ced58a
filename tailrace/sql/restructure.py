"""A value of one composed type as one of another, field by field: what ALTER COLUMN ... TYPE does to values. Pure.

Fields are known by their names, at every depth: in structs, in arrays of them, in the values of maps. A field that only the new
type has is NULL, one that only the old type has is gone; all others must be of equal types.
Before: `STRUCT<a INT, b VARCHAR>`; after: `STRUCT<b VARCHAR, c REAL>`; the value `(1,x)` becomes `(x,)`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from tailrace.errors import InvalidStatement, UnsupportedFeature
from tailrace.sql.types import ComposedType, MapType, StructType

_SHOWN = {
    "smallint": "Int16", "integer": "Int32", "bigint": "Int64", "real": "Float32", "double precision": "Float64",
    "character varying": "Varchar", "numeric": "Decimal", "boolean": "Boolean", "timestamp without time zone": "Timestamp",
    "timestamp with time zone": "Timestamptz", "date": "Date", "time without time zone": "Time", "bytea": "Bytea",
    "jsonb": "Jsonb", "interval": "Interval",
}  # fmt: skip
"""Types as RisingWave's message calls them."""


@dataclass(slots=True)
class Restructuring:
    """How values of one type become values of another; `known` are all composed types within both, by name.

    `loses` says whether a field of the old type is gone. Raises InvalidStatement where the types do not fit.
    """

    known: Mapping[str, ComposedType]
    loses: bool = False
    _depth: int = field(default=0)

    def converted(self, value: str, old: str, new: str, path: str) -> str:
        """SQL for `value`, itself SQL of type `old`, as one of type `new`; `path` is what messages call it."""
        if old == new:
            return value
        if old.endswith("[]") and new.endswith("[]"):
            return self._array(value, old.removesuffix("[]"), new.removesuffix("[]"), path)
        before, after = self.known.get(old), self.known.get(new)
        if isinstance(before, StructType) and isinstance(after, StructType):
            return self._struct(value, before, after, path)
        if isinstance(before, MapType) and isinstance(after, MapType) and before.key == after.key:
            return self._map(value, before, after, path)
        raise InvalidStatement(
            f'incompatible data type change from {self._shown(old)} to {self._shown(new)} at path "{path}"',
            hint="give the field another name: the one of this name goes then, and the new one is NULL",
        )

    def _struct(self, value: str, old: StructType, new: StructType, path: str) -> str:
        before = dict(old.fields)
        self.loses = self.loses or not set(before) <= {name for name, _ in new.fields}
        fields = [
            self.converted(f"({value}).{_quoted(name)}", before[name], type_, f"{path}.{name}")
            if name in before
            else f"NULL::{type_}"
            for name, type_ in new.fields
        ]
        row = f"ROW({', '.join(fields)})::{new.name}"
        return f"CASE WHEN {value} IS DISTINCT FROM NULL THEN {row} END"

    def _array(self, value: str, old: str, new: str, path: str) -> str:
        if old.endswith("[]"):
            raise UnsupportedFeature("altering the type of arrays of arrays", hint="create a new table")
        self._depth += 1
        at = f"i{self._depth}"
        element = self.converted(f"({value})[{at}]", old, new, f"{path}.element")
        items = f"ARRAY(SELECT {element} FROM generate_subscripts({value}, 1) AS {at} ORDER BY {at})"  # noqa: S608
        return f"CASE WHEN {value} IS NOT NULL THEN {items} END"

    def _map(self, value: str, old: MapType, new: MapType, path: str) -> str:
        self._depth += 1
        at = f"i{self._depth}"
        entries = f"map_entries({value})"
        entry = f"({entries})[{at}]"
        converted = self.converted(f"({entry}).value", old.value, new.value, f"{path}.value")
        row = f"ROW(({entry}).key, {converted})::{new.entry.name}"
        made = f"ARRAY(SELECT {row} FROM generate_subscripts({entries}, 1) AS {at} ORDER BY {at})"  # noqa: S608
        return f"CASE WHEN {value} IS DISTINCT FROM NULL THEN map_from_entries({made}) END"

    def _shown(self, type_: str) -> str:
        if type_.endswith("[]"):
            return "List"
        composed = self.known.get(type_)
        if composed is None:
            return _SHOWN.get(type_, type_)
        return "Struct" if isinstance(composed, StructType) else "Map"


def holds_struct(type_: str, known: Mapping[str, ComposedType]) -> bool:
    """Is the type a struct, or are there structs within?"""
    composed = known.get(type_.removesuffix("[]"))
    if isinstance(composed, MapType):
        return holds_struct(composed.value, known)
    return composed is not None


def _quoted(name: str) -> str:
    return exp.to_identifier(name, quoted=True).sql(dialect="postgres")
