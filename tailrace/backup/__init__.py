"""Back a data directory up into one file, while everything runs, and make a directory of such a file."""

from tailrace.backup.restore import restore
from tailrace.backup.write import back_up

__all__ = ["back_up", "restore"]
