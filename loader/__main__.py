"""``python -m loader``: see ``loader.cli``."""

from __future__ import annotations

import sys

from loader.cli import main

if __name__ == "__main__":
    sys.exit(main())
