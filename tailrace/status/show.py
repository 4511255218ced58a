"""A status as tables on a terminal. Pure: values in, rich renderables out. Caller: the CLI."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from tailrace.status.read import Status

NOTHING = "-"
_SLOW_MS = 500.0
_STALE_S = 5.0


def size(count: int | None) -> str:
    """Bytes for people.

    >>> size(1536), size(None), size(5 << 30)
    ('1.5 KiB', '-', '5.0 GiB')
    """
    if count is None:
        return NOTHING
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"


def show_status(status: Status) -> RenderableType:
    """The whole page; a part that this engine does not have is named, not shown empty."""
    parts: list[RenderableType] = [_head(status), _relations(status)]
    if status.partitions:
        parts.append(_partitions(status))
    if status.processes:
        parts.append(_processes(status))
    if status.missing:
        lines = [f"{part}: {reason}" for part, reason in status.missing.items()]
        parts.append(Text("not shown by this engine\n  " + "\n  ".join(lines), style="dim"))
    return Group(*parts)


def _head(status: Status) -> RenderableType:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    grid.add_row("engine", Text(status.version))
    barrier = status.barrier
    if barrier is not None:
        style = "yellow" if barrier.previous_ms > _SLOW_MS else ""
        text = Text(f"{barrier.previous_ms:,.1f} ms", style=style)
        # without input there is no barrier: an old one is a fault only where something waits
        waits = any(partition.lag for partition in status.partitions)
        text.append(
            f", epoch {barrier.epoch:,}, {barrier.age_s:,.1f} s ago",
            style="bold red" if waits and barrier.age_s > _STALE_S else "",
        )
        grid.add_row("last barrier", text)
    if status.disk_bytes is not None:
        grid.add_row("disk", size(status.disk_bytes))
    return grid


def _table(title: str, *columns: str, left: int = 1) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold")
    for number, column in enumerate(columns):
        if number < left:  # names may take two lines; figures that are cut are none
            table.add_column(column, overflow="fold")
        else:
            table.add_column(column, justify="right", no_wrap=True, min_width=len(column) + 2)
    return table


def _relations(status: Status) -> Table:
    table = _table("relations", "relation", "type", "rows", "state", "indexes", "waiting", left=2)
    for relation in status.relations:
        table.add_row(
            Text(relation.name),
            relation.type,
            NOTHING if relation.rows is None else f"{relation.rows:,}",
            size(relation.state_bytes),
            size(relation.index_bytes),
            size(relation.changelog_bytes),
        )
    return table


def _partitions(status: Status) -> Table:
    table = _table("sources", "source", "partition", "end", "last read", "lag", left=2)
    for partition in status.partitions:
        lag = partition.lag
        table.add_row(
            Text(partition.source),
            partition.partition,
            NOTHING if partition.end is None else f"{partition.end:,}",
            NOTHING if partition.last_read is None else f"{partition.last_read:,}",
            NOTHING if lag is None else Text(f"{lag:,}", style="yellow" if lag else "green"),
        )
    return table


def _processes(status: Status) -> Table:
    table = _table("memory", "process", "pid", "resident", "its own")
    for process in status.processes:
        table.add_row(
            Text(process.process),
            str(process.pid),
            size(process.resident_bytes),
            size(process.private_bytes),
        )
    return table
