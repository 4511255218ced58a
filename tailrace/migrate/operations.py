"""alembic operations for RisingWave's relations: `op.create_source(name, sql)`, `op.drop_source(name)` and
so on.

Each carries its own SQL text, so that a revision stays what it was when it was released. An operation does
nothing itself: it hands its step to the `StepSink` that the environment put into the migration context,
which records or executes it. Importing this module registers the operations; revisions call them through
`alembic.op`.
"""

from __future__ import annotations

from typing import Final, Protocol

from alembic.operations import MigrateOperation, Operations

from tailrace.migrate.steps import Step, create, drop, rename, swap
from tailrace.sql.kinds import RelationKind

SINK_OPTION: Final = "tailrace_sink"


class StepSink(Protocol):
    """Takes the steps of a revision in their order."""

    def take(self, step: Step) -> None:
        """Record or execute one step."""


@Operations.register_operation("create_table")
@Operations.register_operation("create_source")
@Operations.register_operation("create_view")
@Operations.register_operation("create_materialized_view")
@Operations.register_operation("create_index")
@Operations.register_operation("create_sink")
class CreateRelation(MigrateOperation):
    """Run a CREATE statement; takes the relation's name and the whole statement."""

    def __init__(self, step: Step) -> None:
        self.step = step

    @classmethod
    def create_table(cls, operations: Operations, name: str, sql: str) -> None:
        """Replaces alembic's own create_table, which composes PostgreSQL's DDL."""
        operations.invoke(cls(create(RelationKind.TABLE, name, sql)))

    @classmethod
    def create_source(cls, operations: Operations, name: str, sql: str) -> None:
        """CREATE SOURCE; `${VARIABLES}` of the connector are filled in at deployment."""
        operations.invoke(cls(create(RelationKind.SOURCE, name, sql)))

    @classmethod
    def create_view(cls, operations: Operations, name: str, sql: str) -> None:
        """CREATE VIEW."""
        operations.invoke(cls(create(RelationKind.VIEW, name, sql)))

    @classmethod
    def create_materialized_view(cls, operations: Operations, name: str, sql: str) -> None:
        """CREATE MATERIALIZED VIEW; returns once it is filled from what is there."""
        operations.invoke(cls(create(RelationKind.MATERIALIZED_VIEW, name, sql)))

    @classmethod
    def create_index(cls, operations: Operations, name: str, sql: str) -> None:
        """Replaces alembic's own create_index, likewise."""
        operations.invoke(cls(create(RelationKind.INDEX, name, sql)))

    @classmethod
    def create_sink(cls, operations: Operations, name: str, sql: str) -> None:
        """CREATE SINK; `${VARIABLES}` of the connector are filled in at deployment."""
        operations.invoke(cls(create(RelationKind.SINK, name, sql)))


@Operations.register_operation("drop_table")
@Operations.register_operation("drop_source")
@Operations.register_operation("drop_view")
@Operations.register_operation("drop_materialized_view")
@Operations.register_operation("drop_index")
@Operations.register_operation("drop_sink")
class DropRelation(MigrateOperation):
    """Drop a relation, without CASCADE; takes the relation's name."""

    def __init__(self, step: Step) -> None:
        self.step = step

    @classmethod
    def drop_table(cls, operations: Operations, name: str) -> None:
        """DROP TABLE, with the rows in it."""
        operations.invoke(cls(drop(RelationKind.TABLE, name)))

    @classmethod
    def drop_source(cls, operations: Operations, name: str) -> None:
        """DROP SOURCE; the topic stays."""
        operations.invoke(cls(drop(RelationKind.SOURCE, name)))

    @classmethod
    def drop_view(cls, operations: Operations, name: str) -> None:
        """DROP VIEW."""
        operations.invoke(cls(drop(RelationKind.VIEW, name)))

    @classmethod
    def drop_materialized_view(cls, operations: Operations, name: str) -> None:
        """DROP MATERIALIZED VIEW."""
        operations.invoke(cls(drop(RelationKind.MATERIALIZED_VIEW, name)))

    @classmethod
    def drop_index(cls, operations: Operations, name: str) -> None:
        """DROP INDEX."""
        operations.invoke(cls(drop(RelationKind.INDEX, name)))

    @classmethod
    def drop_sink(cls, operations: Operations, name: str) -> None:
        """DROP SINK; what was delivered stays where it is."""
        operations.invoke(cls(drop(RelationKind.SINK, name)))


@Operations.register_operation("rename_table")
@Operations.register_operation("rename_source")
@Operations.register_operation("rename_view")
@Operations.register_operation("rename_materialized_view")
@Operations.register_operation("rename_index")
class RenameRelation(MigrateOperation):
    """Rename a relation; takes the old name and the new one. What is built on it reads on."""

    def __init__(self, step: Step) -> None:
        self.step = step

    @classmethod
    def rename_table(cls, operations: Operations, name: str, new: str) -> None:
        """Replaces alembic's own rename_table."""
        operations.invoke(cls(rename(RelationKind.TABLE, name, new)))

    @classmethod
    def rename_source(cls, operations: Operations, name: str, new: str) -> None:
        """ALTER SOURCE ... RENAME TO."""
        operations.invoke(cls(rename(RelationKind.SOURCE, name, new)))

    @classmethod
    def rename_view(cls, operations: Operations, name: str, new: str) -> None:
        """ALTER VIEW ... RENAME TO."""
        operations.invoke(cls(rename(RelationKind.VIEW, name, new)))

    @classmethod
    def rename_materialized_view(cls, operations: Operations, name: str, new: str) -> None:
        """ALTER MATERIALIZED VIEW ... RENAME TO."""
        operations.invoke(cls(rename(RelationKind.MATERIALIZED_VIEW, name, new)))

    @classmethod
    def rename_index(cls, operations: Operations, name: str, new: str) -> None:
        """ALTER INDEX ... RENAME TO."""
        operations.invoke(cls(rename(RelationKind.INDEX, name, new)))


@Operations.register_operation("swap_tables")
@Operations.register_operation("swap_sources")
@Operations.register_operation("swap_views")
@Operations.register_operation("swap_materialized_views")
class SwapRelations(MigrateOperation):
    """Exchange the names of two relations at one instant; what is built on either stays on it, under its other name."""

    def __init__(self, step: Step) -> None:
        self.step = step

    @classmethod
    def swap_tables(cls, operations: Operations, name: str, other: str) -> None:
        """ALTER TABLE ... SWAP WITH."""
        operations.invoke(cls(swap(RelationKind.TABLE, name, other)))

    @classmethod
    def swap_sources(cls, operations: Operations, name: str, other: str) -> None:
        """ALTER SOURCE ... SWAP WITH."""
        operations.invoke(cls(swap(RelationKind.SOURCE, name, other)))

    @classmethod
    def swap_views(cls, operations: Operations, name: str, other: str) -> None:
        """ALTER VIEW ... SWAP WITH."""
        operations.invoke(cls(swap(RelationKind.VIEW, name, other)))

    @classmethod
    def swap_materialized_views(cls, operations: Operations, name: str, other: str) -> None:
        """ALTER MATERIALIZED VIEW ... SWAP WITH: how a changed view takes over from the one that is read."""
        operations.invoke(cls(swap(RelationKind.MATERIALIZED_VIEW, name, other)))


@Operations.implementation_for(CreateRelation)
@Operations.implementation_for(DropRelation)
@Operations.implementation_for(RenameRelation)
@Operations.implementation_for(SwapRelations)
def _hand_over(
    operations: Operations, operation: CreateRelation | DropRelation | RenameRelation | SwapRelations
) -> None:
    sink: StepSink = operations.migration_context.opts[SINK_OPTION]
    sink.take(operation.step)
