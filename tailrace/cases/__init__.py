"""Unit tests of SQL: a view alone, with rows given for what it reads, against the rows that it must show."""

from tailrace.cases.bench import Bench, Outcome
from tailrace.cases.case import Case, load_cases
from tailrace.cases.place import fresh_database

__all__ = ["Bench", "Case", "Outcome", "fresh_database", "load_cases"]
