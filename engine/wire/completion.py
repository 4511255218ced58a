"""Completes statements whose text hangs on the catalog: hidden columns, columns that an INSERT or a star leaves out.

Most statements are complete as they stand, which costs a look at their first words. For the others PostgreSQL is asked, so it
must be idle. Used by `engine.wire.session`.
"""

from __future__ import annotations

from typing import TypeGuard

from engine.wire.classify import about_columns, with_columns, with_row_ids
from engine.wire.computed_columns import ComputedColumns
from engine.wire.exchange import Exchange
from engine.wire.plans import ColumnsQuery, Command, CopyIn, Forward, RowIdQuery
from engine.wire.row_ids import lookup
from tailrace.sql.column_lists import written_out


class Completion:
    """For the statements of one session."""

    def __init__(self, database: str, exchange: Exchange) -> None:
        self._exchange = exchange
        self._computed = ComputedColumns(database, exchange.rows_of)

    def is_complete(self, plan: Forward | RowIdQuery | ColumnsQuery | CopyIn | Command) -> TypeGuard[Forward]:
        """May it go to PostgreSQL as it is? False also where that has to be asked first."""
        return isinstance(plan, Forward) and self._computed.leaves(plan)

    async def complete(self, plan: Forward | RowIdQuery | ColumnsQuery) -> Forward:
        """The statement for PostgreSQL. Raises TailraceError or RelayedError."""
        if isinstance(plan, RowIdQuery):
            plan = with_row_ids(plan, await self._exchange.rows_of(lookup(plan.sql)))
        elif isinstance(plan, ColumnsQuery):
            plan = await self._written_out(plan)
        return await self._computed.placed(plan)

    async def _written_out(self, plan: ColumnsQuery) -> Forward:
        steps = written_out(plan.sql)
        try:
            question = next(steps)
            while True:
                question = steps.send((await self._exchange.ask(about_columns(question))).names)
        except StopIteration as end:
            return with_columns(end.value)
