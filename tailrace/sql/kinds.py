"""The kinds of relations that a CREATE statement makes, as files, migrations and databases have them. Pure."""

from __future__ import annotations

from enum import StrEnum


class RelationKind(StrEnum):
    """Values are what rw_catalog.rw_relations calls them; upper-cased they are the keywords of CREATE and
    DROP.
    """

    TABLE = "table"
    SOURCE = "source"
    VIEW = "view"
    MATERIALIZED_VIEW = "materialized view"
    INDEX = "index"
    SINK = "sink"

    @property
    def has_rows(self) -> bool:
        """Whether a query can read it under its name."""
        return self not in (RelationKind.INDEX, RelationKind.SINK)
