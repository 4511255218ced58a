"""What the flow and the front door must agree on of a subscription's log: its name, and what its ops are called."""

from __future__ import annotations

OPS = "'Insert', 'Delete', 'UpdateInsert', 'UpdateDelete'"
"""RisingWave's names of the ops, from 1 on, as SQL."""


def subscription_log(id_: int) -> str:
    """The log's table."""
    return f"engine.subscription_log_{id_}"
