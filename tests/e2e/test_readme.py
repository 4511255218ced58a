"""The SQL that README.md shows runs as it stands, on a small table in place of the pipeline's readings."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg

README = Path(__file__).resolve().parents[2] / "README.md"
READINGS = """
CREATE TABLE readme_readings (
    event_id varchar PRIMARY KEY, site varchar, metric varchar, value double precision, ts timestamptz
)
"""
ROWS = """
INSERT INTO readme_readings VALUES
    ('1', 'north', 'temperature', 20.5, '2026-11-24 00:00:01+00:00'),
    ('2', 'north', 'temperature', 22.0, '2026-11-24 00:00:59+00:00'),
    ('3', 'north', 'humidity', 60.0, '2026-11-24 00:00:59+00:00'),
    ('4', 'south', 'temperature', 19.0, '2026-11-24 00:01:00+00:00')
"""


def statements() -> list[str]:
    """The statements of README's SQL blocks, reading the small table and making views of another name."""
    blocks = re.findall(r"^```sql\n(.*?)^```", README.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    text = "".join(blocks).replace("hottest_sites", "readme_hottest_sites")
    return [
        part.strip() for part in re.sub(r"\breadings\b", "readme_readings", text).split(";") if part.strip()
    ]


def test_the_view_of_the_readme_fills_and_follows(engine: str) -> None:
    create, query = statements()
    with psycopg.connect(engine, autocommit=True) as session:
        session.execute("SET RW_IMPLICIT_FLUSH = true")
        session.execute(READINGS)
        try:
            session.execute(ROWS)
            session.execute(create)
            filled = [(row[0], row[1].minute, row[2], row[3]) for row in session.execute(query).fetchall()]
            assert filled == [("south", 1, 19.0, 1), ("north", 0, 22.0, 2)]
            session.execute("DELETE FROM readme_readings WHERE event_id = '2'")
            followed = [(row[0], row[2], row[3]) for row in session.execute(query).fetchall()]
            assert followed == [("south", 19.0, 1), ("north", 20.5, 1)]
            plan = session.execute(f"EXPLAIN {create.replace('hottest', 'planned')}").fetchall()
            assert any("cost: O(" in row[0] for row in plan)
        finally:
            session.execute("DROP TABLE readme_readings CASCADE")
