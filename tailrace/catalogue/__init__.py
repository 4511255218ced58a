"""The SQL files of a folder as objects: kind, name, columns, what they read, fingerprint. Lint, lineage and plan share it."""

from tailrace.catalogue.catalogue import Catalogue
from tailrace.catalogue.files import load
from tailrace.catalogue.fingerprint import fingerprint
from tailrace.catalogue.objects import Column, Problem, SqlObject
from tailrace.catalogue.statements import read_statements

__all__ = [
    "Catalogue",
    "Column",
    "Problem",
    "SqlObject",
    "fingerprint",
    "load",
    "read_statements",
]
