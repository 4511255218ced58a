"""Random queries of the streaming surface, over the tables of `tests.operators.histories`.

Every query has one answer: where an order decides (LIMIT, row_number(), string_agg), it is an order of all that can be seen,
so that rows which tie are the same row. What fails in a batch and is NULL in a view (a cast, a division by zero) is written so
that `as_soft` finds it again. Columns of a query are called c0, c1, ...; a query used as a relation has an alias of its own.
"""

from tests.oracle.queries.items import Query, Type, as_soft
from tests.oracle.queries.shapes import queries

__all__ = ["Query", "Type", "as_soft", "queries"]
