"""Where an answer comes from and what a change would reach: trees of relations and of columns."""

from tailrace.lineage.graph import Edge, Lineage, column_lineage, relation_lineage
from tailrace.lineage.show import as_json, as_mermaid, as_trees

__all__ = ["Edge", "Lineage", "as_json", "as_mermaid", "as_trees", "column_lineage", "relation_lineage"]
