"""Lint: what is legal SQL and will hurt all the same, in a stream that never ends."""

from tailrace.lint.rule import Finding, Rule, Severity
from tailrace.lint.rules import RULES
from tailrace.lint.run import lint

__all__ = ["RULES", "Finding", "Rule", "Severity", "lint"]
