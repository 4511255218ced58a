"""The nexmark connector: people, auctions and bids of an auction site, by RisingWave's options; pure.

The model is that of Apache Beam's Nexmark suite and of RisingWave's generator: of 50 events 1 is a person, 3 are auctions
and 46 are bids (`nexmark.person.proportion` ...); ids are consecutive per kind; bids go to recent auctions, half of them
to a hot one. Strings are drawn by our own draws, so texts and prices are not letter by letter those of RisingWave.

With `nexmark.table.type` = 'Person' | 'Auction' | 'Bid' the columns are that kind's; without, they are event_type (0, 1,
2) and one struct for each kind, of which one is not NULL. The event's time advances by `nexmark.us.per.unit` /
`nexmark.first.event.rate` (100 us); rows come at most every `nexmark.min.event.gap.in.ns` (100,000), or, by
`nexmark.use.real.time`, at their event's time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.connectors.draws import Draws, mixed
from engine.connectors.source import InvalidOptionError, SourceColumn, SourceSpec
from tailrace.errors import InvalidStatement, UnsupportedFeature

COLUMNS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "person": (
        ("id", "bigint"), ("name", "varchar"), ("email_address", "varchar"), ("credit_card", "varchar"),
        ("city", "varchar"), ("state", "varchar"), ("date_time", "timestamp"), ("extra", "varchar"),
    ),
    "auction": (
        ("id", "bigint"), ("item_name", "varchar"), ("description", "varchar"), ("initial_bid", "bigint"),
        ("reserve", "bigint"), ("date_time", "timestamp"), ("expires", "timestamp"), ("seller", "bigint"),
        ("category", "bigint"), ("extra", "varchar"),
    ),
    "bid": (
        ("auction", "bigint"), ("bidder", "bigint"), ("price", "bigint"), ("channel", "varchar"), ("url", "varchar"),
        ("date_time", "timestamp"), ("extra", "varchar"),
    ),
}  # fmt: skip
_KINDS: Final = ("person", "auction", "bid")
_COMBINED: Final = ("event_type", *_KINDS)

_NUMBERS: Final = {
    "split.num": 1, "event.num": 2**63 - 1, "max.chunk.size": 1024, "min.event.gap.in.ns": 100_000, "active.people": 1000,
    "in.flight.auctions": 100, "out.of.order.group.size": 1, "avg.person.byte.size": 200, "avg.auction.byte.size": 500,
    "avg.bid.byte.size": 100, "hot.seller.ratio": 4, "hot.auction.ratio": 2, "hot.bidder.ratio": 4, "hot.channel.ratio": 2,
    "first.event.id": 0, "first.event.number": 0, "num.categories": 5, "auction.id.lead": 10, "hot.seller.ratio.2": 100,
    "hot.auction.ratio.2": 100, "hot.bidder.ratio.2": 100, "person.proportion": 1, "auction.proportion": 3,
    "bid.proportion": 46, "first.auction.id": 1000, "first.person.id": 1000, "first.category.id": 10, "person.id.lead": 10,
    "base.time": -1, "first.event.rate": 10_000, "us.per.unit": 1_000_000, "threads": 1,
}  # fmt: skip
_ZERO_ALLOWED: Final = frozenset(
    {"min.event.gap.in.ns", "first.event.id", "first.event.number", "base.time", "first.auction.id", "first.person.id",
     "first.category.id", "person.id.lead", "auction.id.lead", "avg.person.byte.size", "avg.auction.byte.size",
     "avg.bid.byte.size", "event.num"}
)  # fmt: skip
_LISTS: Final = {
    "us.states": "az,ca,id,or,wa,wy",
    "us.cities": "phoenix,los angeles,san francisco,boise,portland,bend,redmond,seattle,kent,cheyenne",
    "first.names": "peter,paul,luke,john,saul,vicky,kate,julie,sarah,deiter,walter",
    "last.names": "shultz,abrams,spencer,white,bartels,walton,smith,jones,noris",
}
_WITHOUT_EFFECT: Final = frozenset(
    {"rate.shape", "rate.period", "next.event.rate", "events.per.sec", "sine.approx.steps"}
)
"""Accepted: in RisingWave too the rate is that of the first event throughout."""
_HOT_CHANNELS: Final = ("Google", "Facebook", "Baidu", "Apple")
_CHANNELS: Final = 10_000
_TYPED_BASE_MS: Final = 1_436_918_400_000
"""2015-07-15: where the time of sources of one kind begins, as in RisingWave; others begin when they are first read."""
_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001  # Nexmark's times are timestamps without a zone
_UNBOUNDED: Final = 1 << 62


@dataclass(frozen=True, slots=True)
class NexmarkRows:
    """See `engine.connectors.generator.Rows`."""

    numbers: Mapping[str, int]
    lists: Mapping[str, tuple[str, ...]]
    kind: str | None
    real_time: bool
    picks: tuple[Callable[[int, int, dict[str, Any]], object], ...]

    @classmethod
    def of(cls, spec: SourceSpec) -> NexmarkRows:
        """Read the options. Raises InvalidOptionError, UnsupportedFeature or InvalidStatement, naming what is wrong."""
        given = {key.removeprefix("nexmark."): value.strip() for key, value in spec.properties.items()}
        kind = given.pop("table.type", "").lower() or None
        if kind is not None and kind not in _KINDS:
            raise InvalidOptionError(f"nexmark.table.type cannot be '{kind}'", hint="Person, Auction or Bid")
        real_time = given.pop("use.real.time", "false").lower() == "true"
        lists = {key: tuple(given.pop(key, text).split(",")) for key, text in _LISTS.items()}
        numbers = {**_NUMBERS, **{key: _whole(given.pop(key), key) for key in _NUMBERS if key in given}}
        for key in given.keys() - _WITHOUT_EFFECT:
            raise UnsupportedFeature(
                f"option nexmark.{key}", hint=f"supported: {', '.join(f'nexmark.{k}' for k in _NUMBERS)}"
            )
        _check_columns(spec, kind)
        return cls(
            numbers,
            lists,
            kind,
            real_time,
            tuple(_pick(c, numbers["split.num"], combined=kind is None) for c in spec.columns),
        )

    @property
    def splits(self) -> int:
        return self.numbers["split.num"]

    def end(self, split: int) -> int | None:
        """`nexmark.event.num` counts the events of all kinds."""
        total = self.numbers["event.num"]
        return None if total == _NUMBERS["event.num"] else self._offsets_below(split, total)

    def due(self, split: int, start: int, elapsed_s: float) -> int:
        """By the gap between events, counted over all kinds and splits."""
        n = self.numbers
        gap_ns = (
            n["us.per.unit"] * 1000 // n["first.event.rate"] if self.real_time else n["min.event.gap.in.ns"]
        )
        if gap_ns == 0:
            return _UNBOUNDED
        first = self._number(split, start)
        events = int((elapsed_s + 1) * 1_000_000_000 / gap_ns)
        return max(0, self._offsets_below(split, first + events) - start)

    def rows(self, split: int, start: int, end: int, began_ms: int) -> list[tuple[Any, ...]]:
        """Event by event."""
        n = self.numbers
        base_ms = n["base.time"] if n["base.time"] >= 0 else began_ms if self.kind is None else _TYPED_BASE_MS
        found = []
        for offset in range(start, end):
            event = self._event(self._adjusted(self._number(split, offset)), base_ms)
            found.append(tuple(pick(split, offset, event) for pick in self.picks))
        return found

    def _number(self, split: int, offset: int) -> int:
        """The event's number among all kinds, from a split's offset."""
        n = self.numbers
        place = split + n["split.num"] * offset
        if self.kind is None:
            return place
        count, before = n[f"{self.kind}.proportion"], self._before
        return place // count * self._denominator + before + place % count

    def _offsets_below(self, split: int, number: int) -> int:
        """How many of the split's events have a number below."""
        if self.kind is None:
            places = number
        else:
            count = self.numbers[f"{self.kind}.proportion"]
            rest = min(max(number % self._denominator - self._before, 0), count)
            places = number // self._denominator * count + rest
        return max(0, -(-(places - split) // self.splits))

    def _adjusted(self, number: int) -> int:
        """Out of order within groups, where asked for."""
        size = self.numbers["out.of.order.group.size"]
        number += self.numbers["first.event.number"]
        return number if self.kind is not None else number // size * size + number * 953 % size

    @property
    def _denominator(self) -> int:
        n = self.numbers
        return n["person.proportion"] + n["auction.proportion"] + n["bid.proportion"]

    @property
    def _before(self) -> int:
        """How many events of other kinds stand before this kind's among those of one round."""
        n = self.numbers
        return {
            "person": 0,
            "auction": n["person.proportion"],
            "bid": n["person.proportion"] + n["auction.proportion"],
        }[self.kind or "person"]

    def _event(self, number: int, base_ms: int) -> dict[str, Any]:
        """One event: event_type and the fields of its kind."""
        n = self.numbers
        rest = number % self._denominator
        time = self._time(number, base_ms)
        id_ = n["first.event.id"] + number
        draws = Draws(id_)
        if rest < n["person.proportion"]:
            return {"event_type": 0, **self._person(id_, time, draws)}
        if rest < n["person.proportion"] + n["auction.proportion"]:
            return {"event_type": 1, **self._auction(number, id_, time, base_ms, draws)}
        return {"event_type": 2, **self._bid(id_, time, draws)}

    def _time(self, number: int, base_ms: int) -> dt.datetime:
        n = self.numbers
        microseconds = number * n["us.per.unit"] * n["threads"] // n["first.event.rate"]
        return _EPOCH + dt.timedelta(milliseconds=base_ms + microseconds // 1000)

    def _person(self, id_: int, time: dt.datetime, draws: Draws) -> dict[str, Any]:
        lists = self.lists
        person = {
            "id": self._last_person(id_) + self.numbers["first.person.id"],
            "name": f"{_one(lists['first.names'], draws)} {_one(lists['last.names'], draws)}",
            "email_address": f"{draws.lower(7)}@{draws.lower(5)}.com",
            "credit_card": " ".join(f"{draws.below(10_000):04}" for _ in range(4)),
            "city": _one(lists["us.cities"], draws),
            "state": _one(lists["us.states"], draws),
            "date_time": time,
        }
        size = 8 + sum(len(value) for value in person.values() if isinstance(value, str))
        return {**person, "extra": self._extra(size, "avg.person.byte.size", draws)}

    def _auction(
        self, number: int, id_: int, time: dt.datetime, base_ms: int, draws: Draws
    ) -> dict[str, Any]:
        n = self.numbers
        auction_id = self._last_auction(id_) + n["first.auction.id"]
        initial_bid = _price(draws)
        ahead = n["in.flight.auctions"] * self._denominator // n["auction.proportion"]
        horizon_ms = (self._time(number + ahead, base_ms) - time) // dt.timedelta(milliseconds=1)
        expires = time + dt.timedelta(milliseconds=1 + draws.below(max(1, horizon_ms * 2)))
        if draws.below(n["hot.seller.ratio"]) > 0:
            seller = self._last_person(id_) // n["hot.seller.ratio.2"] * n["hot.seller.ratio.2"]
        else:
            seller = self._some_person(id_, draws)
        return {
            "id": auction_id,
            "item_name": draws.lower(20),
            "description": draws.lower(100),
            "initial_bid": initial_bid,
            "reserve": initial_bid + _price(draws),
            "date_time": time,
            "expires": expires,
            "seller": seller + n["first.person.id"],
            "category": n["first.category.id"] + draws.below(n["num.categories"]),
            "extra": self._extra(8 + 20 + 100 + 40, "avg.auction.byte.size", draws),
        }

    def _bid(self, id_: int, time: dt.datetime, draws: Draws) -> dict[str, Any]:
        n = self.numbers
        if draws.below(n["hot.auction.ratio"]) > 0:
            auction = self._last_auction(id_) // n["hot.auction.ratio.2"] * n["hot.auction.ratio.2"]
        else:
            auction = self._some_auction(id_, draws)
        if draws.below(n["hot.bidder.ratio"]) > 0:
            bidder = self._last_person(id_) // n["hot.bidder.ratio.2"] * n["hot.bidder.ratio.2"] + 1
        else:
            bidder = self._some_person(id_, draws)
        price = _price(draws)
        if draws.below(n["hot.channel.ratio"]) > 0:
            place = draws.below(len(_HOT_CHANNELS))
            channel, url = _HOT_CHANNELS[place], _url(place, None)
        else:
            place = draws.below(_CHANNELS)
            channel, url = f"channel-{place}", _url(len(_HOT_CHANNELS) + place, place)
        return {
            "auction": auction + n["first.auction.id"],
            "bidder": bidder + n["first.person.id"],
            "price": price,
            "channel": channel,
            "url": url,
            "date_time": time,
            "extra": self._extra(32, "avg.bid.byte.size", draws),
        }

    def _last_person(self, id_: int) -> int:
        count = self.numbers["person.proportion"]
        return id_ // self._denominator * count + min(id_ % self._denominator, count - 1)

    def _some_person(self, id_: int, draws: Draws) -> int:
        people = self._last_person(id_) + 1
        active = min(people, self.numbers["active.people"])
        return people - active + draws.below(active + self.numbers["person.id.lead"])

    def _last_auction(self, id_: int) -> int:
        n = self.numbers
        rounds, rest = divmod(id_, self._denominator)
        people, auctions = n["person.proportion"], n["auction.proportion"]
        if rest < people:
            rounds, rest = rounds - 1, auctions - 1
        else:
            rest = min(rest - people, auctions - 1)
        return max(0, rounds * auctions + rest)

    def _some_auction(self, id_: int, draws: Draws) -> int:
        last = self._last_auction(id_)
        first = max(0, last - self.numbers["in.flight.auctions"])
        return first + draws.below(last - first + 1 + self.numbers["auction.id.lead"])

    def _extra(self, size: int, option: str, draws: Draws) -> str:
        """Filling up to about the wanted size."""
        rest = self.numbers[option] - size
        if rest <= 0:
            return ""
        around = round(rest * 0.2)
        return draws.lower(rest + (draws.below(2 * around) - around if around else 0))


def _one(values: tuple[str, ...], draws: Draws) -> str:
    return values[draws.below(len(values))]


def _price(draws: Draws) -> int:
    """In cents: six orders of magnitude, each as likely."""
    return round(10 ** (draws.fraction() * 6) * 100)


def _url(seed: int, channel: int | None) -> str:
    draws = Draws(seed + 1_000_003)
    path = "/".join(draws.lower(5) for _ in range(3))
    tail = f"&channel_id={mixed(channel) >> 33}" if channel is not None and draws.below(10) else ""
    return f"https://www.nexmark.com/{path}/item.htm?query=1{tail}"


def _pick(
    column: SourceColumn, splits: int, *, combined: bool
) -> Callable[[int, int, dict[str, Any]], object]:
    """A column's value of an event."""
    name = column.name
    text = column.type in {"varchar", "text"}
    match column.origin:
        case "partition":
            return lambda split, offset, event: f"{splits}-{split}" if text else split
        case "offset":
            return lambda split, offset, event: str(offset) if text else offset
        case "field" if combined and name in _KINDS:
            number, fields = _KINDS.index(name), [field for field, _ in COLUMNS[name]]
            return lambda split, offset, event: (
                tuple(event[field] for field in fields) if event["event_type"] == number else None
            )
        case "field":
            return lambda split, offset, event: event[name]
    raise UnsupportedFeature(f"INCLUDE {column.origin} of nexmark", hint="partition or offset")


def _check_columns(spec: SourceSpec, kind: str | None) -> None:
    found = [(column.name, column.type) for column in spec.columns if column.origin == "field"]
    if kind is not None and _alike(found, COLUMNS[kind]):
        return
    if kind is None and [name for name, _ in found] == list(_COMBINED) and found[0][1] == "bigint":
        structs = [spec.composites.get(type_, ()) for _, type_ in found[1:]]
        if all(_alike(fields, COLUMNS[each]) for fields, each in zip(structs, _KINDS, strict=True)):
            return
    shown = ", ".join(f"{n} {t}" for n, t in COLUMNS[kind]) if kind else ", ".join(_COMBINED)
    raise InvalidStatement(
        "The schema of the nexmark source must specify all columns in order", hint=f"the columns are: {shown}"
    )


def _alike(found: Sequence[tuple[str, str]], wanted: Sequence[tuple[str, str]]) -> bool:
    return [(name, {"text": "varchar"}.get(type_, type_)) for name, type_ in found] == list(wanted)


def _whole(text: str, option: str) -> int:
    if not text.isdecimal() or (int(text) == 0 and option not in _ZERO_ALLOWED):
        raise InvalidOptionError(
            f"option nexmark.{option} cannot be '{text}'",
            hint="a whole number" + " above 0" * (option not in _ZERO_ALLOWED),
        )
    return int(text)
