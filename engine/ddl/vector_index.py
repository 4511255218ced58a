"""CREATE INDEX ... USING FLAT | HNSW on a column of vectors, for ORDER BY distance LIMIT n.

HNSW becomes pgvector's index, whose answers are approximate as RisingWave's are; FLAT compares all rows, which needs no index, so
only its name is kept. INCLUDE has nothing to include here: the rows are at hand. As in RisingWave the relation is append-only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlglot import exp

from engine.catalog.objects import CatalogObject
from engine.ddl.names import SERVERLESS
from tailrace.errors import InvalidStatement

_CLASSES = {
    "l2": "vector_l2_ops",
    "cosine": "vector_cosine_ops",
    "l1": "vector_l1_ops",
    "inner_product": "vector_ip_ops",
}
_LIMITS = {"m": (16, 2, 100), "ef_construction": (64, 4, 1000), "max_level": (10, 1, 1000)}
"""By option of HNSW: what it is if it is not given, and the least and the most that pgvector takes."""
MAX_DIMENSIONS = 2000
"""Longest vectors that pgvector's HNSW takes."""


@dataclass(frozen=True, slots=True)
class VectorIndex:
    """How the vectors are compared; `settings` are HNSW's, None for FLAT."""

    operators: str
    settings: dict[str, int] | None = None

    def on(self, table: str, column: str) -> str | None:
        """What stands behind CREATE INDEX i ON; None where there is nothing to build."""
        if self.settings is None:
            return None
        m = self.settings["m"]
        ef = max(self.settings["ef_construction"], 2 * m)  # pgvector's own condition
        return f"{table} USING hnsw ({column} {self.operators}) WITH (m = {m}, ef_construction = {ef})"


def vector_index(parameters: exp.Expr | None) -> VectorIndex | None:
    """What CREATE INDEX says of vectors; None for an ordinary index. Raises InvalidStatement in RisingWave's words."""
    using = parameters.args.get("using") if parameters is not None else None
    if parameters is None or using is None:
        return None
    method = using.name.lower()
    if method not in ("flat", "hnsw"):
        raise InvalidStatement(
            f"invalid index method {method}",
            hint="USING FLAT or USING HNSW of a vector; others go without USING",
        )
    given = {p.name.lower(): p.args["value"].name for p in parameters.args.get("with_storage") or ()}
    distance = given.pop("distance_type", None)
    if distance is None:
        raise InvalidStatement(
            "vector index missing `distance_type` in with options", hint="WITH (distance_type = 'l2')"
        )
    if distance.lower() not in _CLASSES:
        raise InvalidStatement(
            f"unsupported vector index distance type: {distance}", hint=f"one of {', '.join(_CLASSES)}"
        )
    given.pop(SERVERLESS, None)
    unknown = sorted(given.keys() - _LIMITS.keys()) if method == "hnsw" else sorted(given)
    if unknown:
        raise InvalidStatement(f"unexpected option {unknown[0]} of a {method} index", hint="leave it out")
    settings = {name: _number(name, given.get(name)) for name in _LIMITS} if method == "hnsw" else None
    return VectorIndex(_CLASSES[distance.lower()], settings)


def _number(name: str, value: str | None) -> int:
    default, least, most = _LIMITS[name]
    if value is None:
        return default
    if not value.isdigit():
        raise InvalidStatement(f"invalid {name} value {value}: failed to parse invalid digit found in string")
    if int(value) == 0:
        raise InvalidStatement(f"invalid {name} value 0: should not be zero")
    return min(max(int(value), least), most)


def check_vectors(
    target: CatalogObject, items: list[exp.Expr], distributed_by: str, type_of: Callable[[], str]
) -> int:
    """The vectors' dimensions. Raises InvalidStatement for what cannot have a vector index."""
    if not target.body.get("append_only"):
        raise InvalidStatement(
            f'"{target.name}" is not append-only but vector index must be append-only',
            hint="CREATE TABLE ... APPEND ONLY",
        )
    if len(items) != 1:
        raise InvalidStatement(f"vector index must be defined on exactly 1 column, but got {len(items)}")
    if distributed_by:
        raise InvalidStatement("vector index cannot define DISTRIBUTED BY", hint="leave it out")
    if items[0].args.get("desc") is not None or items[0].args.get("nulls_first"):
        raise InvalidStatement("vector index cannot specify order", hint="leave ASC, DESC and NULLS out")
    type_ = type_of()
    if not type_.startswith("vector("):
        raise InvalidStatement(
            f"vector index must be defined on column of Vector type, but got {type_}",
            hint="cast it: e::vector(3)",
        )
    return int(type_.removeprefix("vector(").removesuffix(")"))
