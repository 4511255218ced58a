"""RisingWave's SQL as values: dialect, statements, rewriting. The bottom of the import graph; no I/O."""

from tailrace.sql.batch import to_postgres
from tailrace.sql.dialect import TailraceSQL, parse_query, parse_statement

__all__ = ["TailraceSQL", "parse_query", "parse_statement", "to_postgres"]
