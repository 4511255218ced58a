"""The live screen: one page of 100 x 30, drawn from a snapshot.

Pure: a snapshot in, a rich renderable out, always of the same height, so that nothing jumps. Callers:
`tailrace.up.ui` draws it several times a second; tests render it to text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from tailrace.up.component import Health
from tailrace.up.snapshot import Account, ComponentState, Freshness, Snapshot

HEIGHT = 30
BARS = "▁▂▃▄▅▆▇█"
NEWEST = 8
STAGES = ("messages", "readings", "rejects", "duplicates", "late", "anomalies")
RULE_STYLES = {"threshold": "red", "zscore": "magenta", "stuck": "yellow", "silent": "cyan"}
HEALTH_STYLES = {
    Health.UP: "green",
    Health.EXTERNAL: "green",
    Health.DOWN: "bold red",
    Health.STARTING: "yellow",
}


def sparkline(values: Sequence[float], width: int) -> str:
    """The newest `width` values as bars from 0 to their maximum.

    >>> sparkline([0, 5, 10], 8)
    '▁▄█'
    """
    shown = values[-width:]
    top = max(shown, default=0.0) or 1.0
    return "".join(
        BARS[min(len(BARS) - 1, int(value / top * len(BARS)) if value < top else 7)] for value in shown
    )


def clock_text(seconds: float) -> str:
    """Minutes and seconds, hours in front when there are any."""
    whole = int(seconds)
    hours, rest = divmod(whole, 3600)
    minutes = f"{rest // 60:02d}:{rest % 60:02d}"
    return f"{hours}:{minutes}" if hours else minutes


def psql_line(sql_url: str) -> str:
    """What to type for a session; never shows a password."""
    from psycopg.conninfo import conninfo_to_dict

    parts = conninfo_to_dict(sql_url)
    host, port = parts.get("host", "127.0.0.1"), parts.get("port", 5432)
    return f"psql -h {host} -p {port} -d {parts.get('dbname', 'dev')} -U {parts.get('user', 'root')}"


def render(snapshot: Snapshot) -> RenderableType:
    """The whole page."""
    page = Layout(name="page", size=HEIGHT)
    page.split_column(
        Layout(_header(snapshot), name="header", size=1),
        Layout(name="top", size=8),
        Layout(_account(snapshot.account), name="account", size=3),
        Layout(name="middle", size=11),
        Layout(_events(snapshot.events), name="events", size=3),
        Layout(_footer(snapshot), name="footer", size=4),
    )
    page["top"].split_row(
        Layout(_rates(snapshot), ratio=26),
        Layout(_freshness(snapshot.freshness), ratio=42),
        Layout(_components(snapshot.components), ratio=32),
    )
    page["middle"].split_row(Layout(_counts(snapshot), ratio=26), Layout(_newest(snapshot), ratio=74))
    return Group(page)


def _panel(content: RenderableType, title: str) -> Panel:
    return Panel(content, title=title, title_align="left", border_style="dim", padding=(0, 1))


def _pairs(rows: Iterable[tuple[str, str]]) -> Table:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(justify="right", no_wrap=True)
    for name, value in rows:
        table.add_row(name, value)
    return table


def _header(snapshot: Snapshot) -> Text:
    until = f" / {clock_text(snapshot.duration_s)}" if snapshot.duration_s else ""
    head = Text(" Tailrace ", style="bold reverse")
    head.append(f"  {snapshot.phase}", style="bold not reverse")
    head.append(f"  {clock_text(snapshot.elapsed_s)}{until}", style="not bold not reverse")
    head.append(f"  seed {snapshot.seed}", style="dim not bold not reverse")
    head.append("  Ctrl-C stops", style="dim not bold not reverse")
    return head


def _rates(snapshot: Snapshot) -> Panel:
    rows = [
        ("produced/s", f"{snapshot.produced_rate:,.0f}"),
        ("ingested/s", f"{snapshot.ingested_rate:,.0f}"),
        ("in flight", f"{snapshot.account.in_flight:,}"),
    ]
    return _panel(_pairs(rows), "rates")


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} ms"


def _freshness(freshness: Freshness) -> Panel:
    line = Text(sparkline(freshness.history, 36), style="green", no_wrap=True)
    figures = _pairs([("p50", _milliseconds(freshness.p50)), ("p99", _milliseconds(freshness.p99))])
    caption = Text("p50 of each second", style="dim", no_wrap=True)
    return _panel(Group(figures, Text(""), line, caption), "freshness: produced to visible")


def _components(components: Iterable[ComponentState]) -> Panel:
    table = Table.grid(padding=(0, 1), expand=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, overflow="ellipsis", style="dim")
    for state in components:
        detail = f"restarted {state.restarts}x" if state.restarts else state.detail
        table.add_row(
            state.name, Text(state.health.value, style=HEALTH_STYLES.get(state.health, "dim")), detail
        )
    return _panel(table, "components")


def account_text(account: Account) -> str:
    """The accounting line."""
    return (
        f"produced {account.produced:,} = ingested {account.ingested:,} + rejected {account.rejected:,}"
        f" + duplicates {account.duplicates:,}, in flight {account.in_flight:,}"
    )


def _account(account: Account) -> Panel:
    return _panel(Text(account_text(account), no_wrap=True, overflow="ellipsis"), "this run's account")


def _counts(snapshot: Snapshot) -> Panel:
    return _panel(
        _pairs([(name, f"{snapshot.stages.get(name, 0):,}") for name in STAGES]), "rows in the views"
    )


def _newest(snapshot: Snapshot) -> Panel:
    table = Table.grid(padding=(0, 1), expand=True)
    for width in (9, 9, 10, 19, 9):
        table.add_column(no_wrap=True, overflow="ellipsis", width=width)
    for notice in snapshot.newest[:NEWEST]:
        table.add_row(
            f"{notice.ts:%H:%M:%S}" if notice.ts else "",
            Text(notice.rule, style=RULE_STYLES.get(notice.rule, "")),
            notice.device_id,
            notice.metric or "",
            "" if notice.value is None else f"{notice.value:.4g}",
        )
    return _panel(table, "newest anomalies (UTC)")


def _events(events: Sequence[str]) -> Panel:
    return _panel(Text(events[-1] if events else "", no_wrap=True, overflow="ellipsis"), "last event")


def _footer(snapshot: Snapshot) -> Table:
    table = Table.grid(padding=(0, 1))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_row("dashboard", snapshot.dashboard_url or "off")
    table.add_row("psql", psql_line(snapshot.sql_url))
    table.add_row("kafka", snapshot.kafka)
    return table
