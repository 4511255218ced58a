"""How much memory there is, and how much of it PostgreSQL keeps pages in.

A barrier of 1,000 changed rows looks at some 10,000 pages. Those that shared buffers do not hold are copied from the system's
cache, some microseconds each, and what was changed in their places is written out first. Linux hands out the memory only as
pages come in. Read once at each start, by `engine.postgres`.
"""

from __future__ import annotations

import os
from pathlib import Path

MIB = 1024 * 1024
_SHARE = 8
_LEAST_MIB, _MOST_MIB = 128, 2048
_CGROUP_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_bytes() -> int:
    """What this machine has, or its container may take; 0 where the system does not say."""
    try:
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (ValueError, OSError):
        return 0
    for limit in _CGROUP_LIMITS:
        try:
            text = Path(limit).read_text(encoding="ascii").strip()
        except OSError:
            continue
        if text.isdigit():
            found.append(int(text))
    return min(found)


def shared_buffers(memory: int) -> str:
    """The setting for a machine with so many bytes: an eighth, from 128 MB to 2 GB.

    >>> shared_buffers(8 * 1024**3), shared_buffers(0), shared_buffers(64 * 1024**3)
    ('1024MB', '128MB', '2048MB')
    """
    return f"{min(max(memory // _SHARE // MIB, _LEAST_MIB), _MOST_MIB)}MB"


def effective_cache_size(memory: int) -> str:
    """What the planner may take to lie in memory, the system's cache included: half of it.

    >>> effective_cache_size(8 * 1024**3)
    '4096MB'
    """
    return f"{max(memory // 2 // MIB, 2 * _LEAST_MIB)}MB"
