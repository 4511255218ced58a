"""Statements run by a flow that the test drives; the fixtures are those of the operators' tests."""

from tests.operators.conftest import engine, module_engine

__all__ = ["engine", "module_engine"]
