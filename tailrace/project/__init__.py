"""A project: SQL files that say what is current, and the migrations that bring a database there.

What differs between the two becomes the next migration (`tailrace migrate new`). Pure but for reading and writing its files; no
database is asked.
"""

from tailrace.project.changes import Changes, compare
from tailrace.project.files import Relation, read_relations, relations_in
from tailrace.project.place import Project
from tailrace.project.replay import replay
from tailrace.project.revision import write_revision
from tailrace.project.start import start_project

__all__ = [
    "Changes",
    "Project",
    "Relation",
    "compare",
    "read_relations",
    "relations_in",
    "replay",
    "start_project",
    "write_revision",
]
