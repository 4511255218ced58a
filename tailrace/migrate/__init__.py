"""Deployment of sql/ as versioned migrations, on RisingWave or the embedded engine: what the CLI and the
launcher call.
"""

from tailrace.migrate.api import Revision, current, downgrade, history, pending, upgrade
from tailrace.migrate.errors import MigrationConflictError, MigrationFailedError, MigrationInvalidError
from tailrace.migrate.progress import StepProgress

__all__ = [
    "MigrationConflictError",
    "MigrationFailedError",
    "MigrationInvalidError",
    "Revision",
    "StepProgress",
    "current",
    "downgrade",
    "history",
    "pending",
    "upgrade",
]
