"""What is known of one object once its query has been looked through. Values only."""

from __future__ import annotations

from dataclasses import dataclass, field

from tailrace.catalogue.objects import Column, Problem
from tailrace.sql.names import ObjectName

Origin = tuple[ObjectName, str]
"""A relation and one of its columns."""


@dataclass(frozen=True, slots=True)
class Analysis:
    """`columns` is None where the text does not tell; `origins` gives for a column those of the inputs that it is made of."""

    columns: tuple[Column, ...] | None
    origins: dict[str, tuple[Origin, ...]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
