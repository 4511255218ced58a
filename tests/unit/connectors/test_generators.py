"""Sources that generate their rows: options, determinism, pace, restarts and late readers. No database, no broker."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Mapping

import pytest

from engine.connectors.datagen import DatagenRows
from engine.connectors.formats import Format
from engine.connectors.generator import GeneratorReader, first_positions, read_generated
from engine.connectors.nexmark import COLUMNS, NexmarkRows
from engine.connectors.source import Batch, InvalidOptionError, Position, SourceColumn, SourceSpec
from engine.connectors.sources import idle_options, source_spec
from tailrace.errors import TailraceError, UnsupportedFeature
from tests.support.processes import wait_until

BEGAN_MS = 1_800_000_000_000
BEGAN = dt.datetime.fromtimestamp(BEGAN_MS / 1000, dt.UTC)


PLACE = {"rw.place": (("x", "integer"), ("city", "varchar"))}
STRUCTS = {f"rw.{kind}": fields for kind, fields in COLUMNS.items()}


def datagen(columns: str, include: str = "", **options: str) -> SourceSpec:
    """`columns`: "v integer, s varchar"; options with __ for a dot."""
    fields = [SourceColumn(*each.strip().split(" ", 1), "field") for each in columns.split(",")]
    included = [SourceColumn(*each.split(), each.split()[0]) for each in include.split(",") if each]
    given = {key.replace("__", "."): value for key, value in options.items()}
    return source_spec(
        "s", [*fields, *included], {"connector": "datagen", **given}, Format(), composites=PLACE
    )


def nexmark(kind: str | None = None, **options: str) -> SourceSpec:
    given = {"nexmark." + key.replace("__", "."): value for key, value in options.items()}
    if kind is None:
        columns = [("event_type", "bigint"), *((each, f"rw.{each}") for each in ("person", "auction", "bid"))]
    else:
        columns, given["nexmark.table.type"] = list(COLUMNS[kind.lower()]), kind
    listed = [SourceColumn(n, t, "field") for n, t in columns]
    return source_spec("n", listed, {"connector": "nexmark", **given}, None, composites=STRUCTS)


def test_sequences_are_shared_by_the_splits_and_end() -> None:
    spec = datagen(
        "v integer",
        fields__v__kind="sequence",
        fields__v__start="1",
        fields__v__end="10",
        datagen__split__num="3",
    )
    rows = DatagenRows.of(spec)
    assert [rows.end(split) for split in range(3)] == [4, 3, 3]
    values = [[v for (v,) in rows.rows(split, 0, rows.end(split) or 0, 0)] for split in range(3)]
    assert values == [[1, 4, 7, 10], [2, 5, 8], [3, 6, 9]]


def test_random_values_keep_their_bounds_and_differ_by_column_seed_and_split() -> None:
    spec = datagen(
        "a integer, b integer, c integer, d double precision, s varchar",
        fields__a__min="-5",
        fields__a__max="5",
        fields__c__seed="7",
        fields__d__min="0.5",
        fields__d__max="0.75",
        fields__s__length="3",
        datagen__split__num="2",
    )
    rows = DatagenRows.of(spec)
    drawn = rows.rows(0, 0, 2000, BEGAN_MS)
    a, b, c, d, s = zip(*drawn, strict=True)
    assert set(a) == set(range(-5, 6))
    assert min(b) >= 0
    assert max(b) <= 32_767
    assert len(set(b)) > 1800
    assert b != c
    assert 0.5 <= min(d) < 0.51
    assert 0.74 < max(d) <= 0.75
    assert {len(each) for each in s} == {3}
    assert rows.rows(1, 0, 5, BEGAN_MS) != drawn[:5]
    assert rows.rows(0, 1000, 1005, BEGAN_MS) == drawn[1000:1005]


def test_timestamps_lie_before_their_base() -> None:
    spec = datagen(
        "a timestamptz, b timestamp, c timestamptz, d timestamptz",
        fields__b__max_past="30s",
        fields__c__max_past="0s",
        fields__c__max_past_mode="relative",
        fields__d__basetime="2020-01-01T00:00:00+02:00",
        fields__d__max_past="0s",
        datagen__rows__per__second="10",
    )
    drawn = DatagenRows.of(spec).rows(0, 0, 500, BEGAN_MS)
    a, b, c, d = zip(*drawn, strict=True)
    assert min(a) >= BEGAN - dt.timedelta(days=1)
    assert max(a) <= BEGAN
    assert all(BEGAN - dt.timedelta(seconds=30) <= each.replace(tzinfo=dt.UTC) <= BEGAN for each in b)
    assert c[0] == BEGAN
    assert c[30] == BEGAN + dt.timedelta(seconds=2)  # ten at once, then ten a second
    assert set(d) == {dt.datetime(2019, 12, 31, 22, tzinfo=dt.UTC)}


def test_structs_are_tuples_of_their_fields() -> None:
    spec = datagen(
        "p rw.place", **{"fields.p.x.kind": "sequence", "fields.p.x.end": "1", "fields.p.city.length": "3"}
    )
    rows = DatagenRows.of(spec)
    assert rows.end(0) == 2
    assert [(x, len(city)) for ((x, city),) in rows.rows(0, 0, 2, 0)] == [(0, 3), (1, 3)]


def test_included_columns_and_arrays() -> None:
    spec = datagen(
        "v integer[]",
        "partition varchar,offset bigint",
        fields__v__length="2",
        **{"fields.v._.min": "3", "fields.v._.max": "3"},
    )
    assert DatagenRows.of(spec).rows(0, 0, 2, 0) == [([3, 3], "1-0", 0), ([3, 3], "1-0", 1)]


@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        ("v integer", {"fields.v.min": "5", "fields.v.max": "4"}, "fields.v.min is beyond"),
        ("v integer", {"fields.v.kind": "sequence", "fields.v.start": "9", "fields.v.end": "1"}, "beyond"),
        ("v smallint", {"fields.v.max": "40000"}, "out of range for type smallint"),
        ("v integer", {"fields.v.mean": "5"}, "option fields.v.mean"),
        ("v integer", {"topic": "t"}, "option topic"),
        ("v integer", {"datagen.split.num": "0"}, "datagen.split.num cannot be '0'"),
        ("v date", {}, "type date of column v"),
        ("v timestamp", {"fields.v.max_past": "soon"}, "fields.v.max_past cannot be 'soon'"),
        ("v timestamp", {"fields.v.basetime": "2020-01-01"}, "basetime cannot be"),
    ],
)
def test_what_cannot_be_is_named(columns: str, options: Mapping[str, str], said: str) -> None:
    with pytest.raises((InvalidOptionError, UnsupportedFeature)) as caught:
        datagen(columns, **dict(options))
    assert said in caught.value.message


def test_options_of_columns_that_there_are_not_do_nothing_and_say_so() -> None:
    spec = datagen("v integer", **{"fields.v.min": "5", "fields.w.x.min": "5"})
    assert idle_options(spec) == ["option fields.w.x.min is ignored: there is no column w"]


def test_the_rate_is_shared_and_a_seconds_rows_are_due_at_once() -> None:
    rows = DatagenRows.of(datagen("v integer", datagen__rows__per__second="10", datagen__split__num="3"))
    assert [rows.due(split, 0, 0) for split in range(3)] == [4, 3, 3]
    assert rows.due(0, 0, 2.5) == 14


def test_nexmark_keeps_its_proportions_and_its_ids() -> None:
    rows = NexmarkRows.of(nexmark(event__num="5000"))
    assert rows.end(0) == 5000
    events = rows.rows(0, 0, 5000, BEGAN_MS)
    kinds = [event[0] for event in events]
    assert [kinds.count(kind) for kind in range(3)] == [100, 300, 4600]
    people, auctions, bids = (
        [dict(zip(dict(COLUMNS[kind]), e[n], strict=True)) for e in events if e[n] is not None]
        for n, kind in enumerate(("person", "auction", "bid"), start=1)
    )
    assert [p["id"] for p in people] == list(range(1000, 1100))
    assert [a["id"] for a in auctions] == list(range(1000, 1300))
    assert all(1000 <= b["auction"] <= 1310 and 1000 <= b["bidder"] <= 1110 for b in bids)
    assert all(a["reserve"] > a["initial_bid"] > 0 and a["expires"] > a["date_time"] for a in auctions)
    assert 0.4 < sum(b["channel"] in {"Google", "Facebook", "Baidu", "Apple"} for b in bids) / len(bids) < 0.6
    assert people[0]["date_time"].replace(tzinfo=dt.UTC) == BEGAN


@pytest.mark.parametrize("kind", ["Person", "Auction", "Bid"])
def test_one_kind_of_nexmark_holds_that_kinds_events_over_all_splits(kind: str) -> None:
    whole = NexmarkRows.of(nexmark(base__time=str(BEGAN_MS))).rows(0, 0, 500, 0)
    number = ("Person", "Auction", "Bid").index(kind)
    expected = [event[1 + number] for event in whole if event[0] == number]
    split = NexmarkRows.of(nexmark(kind, base__time=str(BEGAN_MS), split__num="4", event__num="500"))
    found = [row for each in range(4) for row in split.rows(each, 0, split.end(each) or 0, 0)]
    assert sorted(found, key=str) == sorted(expected, key=str)


def test_nexmark_wants_its_columns_in_their_order() -> None:
    with pytest.raises(TailraceError, match="must specify all columns in order"):
        source_spec(
            "n",
            [SourceColumn("id", "bigint", "field")],
            {"connector": "nexmark", "nexmark.table.type": "Bid"},
            None,
        )
    with pytest.raises(UnsupportedFeature, match=r"nexmark\.no\.such"):
        nexmark("Bid", no__such="1")


def test_nexmarks_pace_is_the_gap_between_events() -> None:
    rows = NexmarkRows.of(nexmark(min__event__gap__in__ns="1000000"))
    assert rows.due(0, 0, 0) == 1000
    assert rows.due(0, 0, 1.5) == 2500
    assert NexmarkRows.of(nexmark("Bid", min__event__gap__in__ns="1000000")).due(0, 0, 0) == 920


def read(reader: GeneratorReader, wake: threading.Event, rows: int) -> Batch:
    """At least so many rows, in one batch."""
    whole = Batch()

    def more() -> bool:
        while (batch := reader.take(7)) is not None:
            whole.rows += batch.rows
            whole.positions.update(batch.positions)
            if len(whole.rows) >= rows:
                return True
        return False

    wait_until(more, what=f"{rows} rows")
    assert wake.is_set()
    return whole


def test_a_restart_goes_on_behind_what_was_taken_and_a_late_reader_sees_the_same() -> None:
    spec = datagen(
        "v integer, t timestamptz, r integer",
        "offset bigint",
        fields__v__kind="sequence",
        fields__v__end="59",
        fields__t__max_past_mode="relative",
        datagen__rows__per__second="100000",
        datagen__split__num="2",
    )
    wake = threading.Event()
    first = GeneratorReader(spec, first_positions(spec, now_ms=5), wake=wake)
    first.start()
    taken = read(first, wake, 20)
    first.stop()
    second = GeneratorReader(spec, taken.positions, wake=wake)
    second.start()
    rest = read(second, wake, 60 - len(taken.rows))
    assert second.take(10) is None
    second.stop()
    assert sorted(row[0] for row in taken.rows + rest.rows) == list(range(60))
    end = {**taken.positions, **rest.positions}
    assert {each.topic_id for each in end.values()} == {end[0].topic_id}
    assert end[0].topic_id != "datagen:5"  # it began when it was first read
    begin = {split: Position(each.topic_id, split, 0) for split, each in end.items()}
    again = list(read_generated(spec, begin, end, 8))
    assert max(len(batch.rows) for batch in again) == 8
    assert sorted(row for batch in again for row in batch.rows) == sorted(taken.rows + rest.rows)
    assert again[-1].positions == end
