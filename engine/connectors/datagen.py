"""The datagen connector: rows of sequences and random values, by RisingWave's options; pure.

`fields.<column>.kind` is 'random' (default) or 'sequence'; numbers take min and max (0 and 32767), or start and end (the
same); varchar takes length (10); timestamps take max_past ('1 day'), max_past_mode ('absolute' or 'relative') and
basetime. `fields.<column>.seed` makes a column's draws its own. `datagen.rows.per.second` (10) is shared by
`datagen.split.num` (1) splits. A sequence that has come to its end ends the whole source. The random values are not bit
by bit those of RisingWave; their ranges and the sequences are.

Arrays repeat their element (`length`, and `fields.<column>._.*` for the element); structs have `fields.<column>.<field>.*`.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from engine.connectors.draws import alphanumeric, mixed, salt
from engine.connectors.source import Composites, InvalidOptionError, SourceColumn, SourceSpec
from tailrace.errors import UnsupportedFeature

_INTEGERS: Final = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_FLOATS: Final = frozenset({"real", "double precision"})
_TEXTS: Final = frozenset({"varchar", "text", "character varying"})
_TIMES: Final = frozenset({"timestamp", "timestamptz"})
_LARGEST: Final = 32_767
_LENGTH: Final = 10
_MAX_PAST_MS: Final = 86_400_000
_KEYS: Final = frozenset(
    {"kind", "start", "end", "min", "max", "seed", "length", "max_past", "max_past_mode", "basetime"}
)
_SPAN: Final = re.compile(r"(\d+)\s*([a-z]*)", re.IGNORECASE)
_UNITS_MS: Final = {
    "ms": 1, "s": 1_000, "sec": 1_000, "m": 60_000, "min": 60_000, "h": 3_600_000, "hour": 3_600_000, "d": 86_400_000,
    "day": 86_400_000, "w": 604_800_000, "week": 604_800_000,
}  # fmt: skip
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)

Draw = Callable[[int, int, int], object]
"""The value at an offset of a split, of a source that began at a Unix time in ms: (split, offset, began_ms)."""


@dataclass(frozen=True, slots=True)
class _Field:
    """A column's value by place, and the number of rows after which a sequence ends the split (None: never)."""

    draw: Draw
    end: Callable[[int], int] | None = None


@dataclass(frozen=True, slots=True)
class _Setting:
    """What every field is made by."""

    options: Mapping[str, str]
    composites: Composites
    splits: int
    rate: int


@dataclass(frozen=True, slots=True)
class DatagenRows:
    """See `engine.connectors.generator.Rows`."""

    fields: tuple[_Field, ...]
    splits: int
    rows_per_s: int

    @classmethod
    def of(cls, spec: SourceSpec) -> DatagenRows:
        """Read the options. Raises InvalidOptionError or UnsupportedFeature, naming the option or the column."""
        given = dict(spec.properties)
        splits = _whole(given.pop("datagen.split.num", "1"), "datagen.split.num", at_least=1)
        rate = _whole(given.pop("datagen.rows.per.second", "10"), "datagen.rows.per.second", at_least=0)
        options = {key.removeprefix("fields."): value for key, value in given.items()}
        for key in given:
            if not key.startswith("fields.") or key.rpartition(".")[2] not in _KEYS:
                raise UnsupportedFeature(
                    f"option {key} of datagen", hint=f"fields.<column>.({' | '.join(sorted(_KEYS))})"
                )
        fields = tuple(
            _column(column, _Setting(options, spec.composites, splits, rate)) for column in spec.columns
        )
        return cls(fields, splits, rate)

    def end(self, split: int) -> int | None:
        """The shortest sequence decides."""
        ends = [field.end(split) for field in self.fields if field.end is not None]
        return min(ends) if ends else None

    def due(self, split: int, start: int, elapsed_s: float) -> int:
        """As many as the rate says, and one second's rows at once."""
        del start
        return int(_share(self.rows_per_s, self.splits, split) * (elapsed_s + 1))

    def rows(self, split: int, start: int, end: int, began_ms: int) -> list[tuple[Any, ...]]:
        """Column by column."""
        places = range(start, end)
        columns = [[field.draw(split, offset, began_ms) for offset in places] for field in self.fields]
        return list(zip(*columns, strict=True))


def idle_options(spec: SourceSpec) -> list[str]:
    """Options of columns that there are not, which RisingWave takes, too, and which do nothing: a notice each."""
    known = {column.name for column in spec.columns}
    fields = {
        key: key.removeprefix("fields.").split(".")[0] for key in spec.properties if key.startswith("fields.")
    }
    return [
        f"option {key} is ignored: there is no column {name}"
        for key, name in fields.items()
        if name not in known
    ]


def _share(rows_per_s: int, splits: int, split: int) -> int:
    """Rows a second of a split: as even as whole numbers allow, the first ones getting what is left over."""
    return rows_per_s // splits + (split < rows_per_s % splits)


def _column(column: SourceColumn, setting: _Setting) -> _Field:
    splits = setting.splits
    match column.origin:
        case "partition":
            return _Field(
                (lambda split, offset, began: f"{splits}-{split}")
                if column.type in _TEXTS
                else (lambda split, offset, began: split)
            )
        case "offset":
            return _Field(
                (lambda split, offset, began: str(offset))
                if column.type in _TEXTS
                else (lambda split, offset, began: offset)
            )
        case "timestamp":
            return _Field(_generated_at(setting.rate, splits))
        case "field":
            return _field(column.name, column.type, setting)
    raise UnsupportedFeature(f"INCLUDE {column.origin} of datagen", hint="partition, offset or timestamp")


def _field(name: str, type_: str, setting: _Setting) -> _Field:
    """One column, or one field of a struct, or the element of an array."""
    options, splits = setting.options, setting.splits
    given = {key: options[f"{name}.{key}"] for key in _KEYS if f"{name}.{key}" in options}
    seed = mixed(_seed(given) ^ salt(name))
    if type_.endswith("[]"):
        length = _whole(given.get("length", str(_LENGTH)), f"fields.{name}.length", at_least=0)
        element = _field(f"{name}._", type_.removesuffix("[]"), setting)
        many = 1 + length
        return _Field(
            lambda split, offset, began: [
                element.draw(split, offset * many + place, began) for place in range(length)
            ]
        )
    if type_ in setting.composites:
        parts = [_field(f"{name}.{field}", kind, setting) for field, kind in setting.composites[type_]]
        ends = [part.end for part in parts if part.end is not None]
        return _Field(
            lambda split, offset, began: tuple(part.draw(split, offset, began) for part in parts),
            (lambda split: min(end(split) for end in ends)) if ends else None,
        )
    if type_ in _INTEGERS or type_ in _FLOATS:
        if given.get("kind", "random").lower() == "sequence":
            return _sequence(name, type_, given, splits)
        return _random_number(name, type_, given, seed)
    if type_ in _TEXTS:
        length = _whole(given.get("length", str(_LENGTH)), f"fields.{name}.length", at_least=0)
        return _Field(lambda split, offset, began: alphanumeric(_at(seed, split, offset), length))
    if type_ in _TIMES:
        return _moment(name, type_, given, seed, _generated_at(setting.rate, splits))
    raise UnsupportedFeature(
        f"type {type_} of column {name} in a datagen source",
        hint="numbers, varchar, timestamp, timestamptz, arrays and structs of them; derive others in a view",
    )


def _at(seed: int, split: int, offset: int) -> int:
    return mixed(seed ^ (offset << 8) ^ split)


def _seed(given: Mapping[str, str]) -> int:
    """A seed that is no whole number counts as none, as in RisingWave."""
    text = given.get("seed", "")
    return int(text) if text.isdecimal() else 0


def _sequence(name: str, type_: str, given: Mapping[str, str], splits: int) -> _Field:
    start = _number(given.get("start", "0"), type_, f"fields.{name}.start")
    last = _number(given.get("end", str(_LARGEST)), type_, f"fields.{name}.end")
    if start > last:
        raise InvalidOptionError(f"fields.{name}.start is beyond fields.{name}.end")
    return _Field(
        lambda split, offset, began: start + split + splits * offset,
        lambda split: max(0, int(last - start - split) // splits + 1),
    )


def _random_number(name: str, type_: str, given: Mapping[str, str], seed: int) -> _Field:
    low = _number(given.get("min", "0"), type_, f"fields.{name}.min")
    high = _number(given.get("max", str(_LARGEST)), type_, f"fields.{name}.max")
    if low > high:
        raise InvalidOptionError(f"fields.{name}.min is beyond fields.{name}.max")
    if type_ in _FLOATS:
        unit = (high - low) / ((1 << 53) - 1)
        return _Field(lambda split, offset, began: low + (_at(seed, split, offset) >> 11) * unit)
    count = int(high) - int(low) + 1
    return _Field(lambda split, offset, began: int(low) + _at(seed, split, offset) % count)


def _moment(
    name: str, type_: str, given: Mapping[str, str], seed: int, now: Callable[[int, int, int], dt.datetime]
) -> _Field:
    """Up to max_past before a base: a given one, when the source began, or (relative) when the row is due."""
    span_ms = _span_ms(given["max_past"], f"fields.{name}.max_past") if "max_past" in given else _MAX_PAST_MS
    mode = given.get("max_past_mode", "absolute").lower()
    if mode not in {"absolute", "relative"}:
        raise InvalidOptionError(
            f"fields.{name}.max_past_mode cannot be '{mode}'", hint="absolute or relative"
        )
    fixed = _basetime(given["basetime"], f"fields.{name}.basetime") if "basetime" in given else None

    def draw(split: int, offset: int, began: int) -> object:
        if fixed is not None:
            base = fixed
        elif mode == "relative":
            base = now(split, offset, began)
        else:
            base = _EPOCH + dt.timedelta(milliseconds=began)
        moment = base - dt.timedelta(milliseconds=_at(seed, split, offset) % (span_ms + 1))
        return moment if type_ == "timestamptz" else moment.replace(tzinfo=None)

    return _Field(draw)


def _generated_at(rate: int, splits: int) -> Callable[[int, int, int], dt.datetime]:
    """When a row is due, of a source that runs without a stop."""

    def draw(split: int, offset: int, began: int) -> dt.datetime:
        share = max(1, _share(rate, splits, split))
        return _EPOCH + dt.timedelta(milliseconds=began + max(0, offset - share) * 1000 // share)

    return draw


def _whole(text: str, option: str, *, at_least: int) -> int:
    if not re.fullmatch(r"\d{1,18}", text.strip()) or int(text) < at_least:
        raise InvalidOptionError(
            f"option {option} cannot be '{text}'", hint=f"a whole number from {at_least} on"
        )
    return int(text)


def _number(text: str, type_: str, option: str) -> Any:
    try:
        number = float(text) if type_ in _FLOATS else int(text)
    except ValueError:
        raise InvalidOptionError(
            f"option {option} cannot be '{text}'", hint=f"a number of type {type_}"
        ) from None
    bound = _INTEGERS.get(type_)
    if bound is not None and not -bound <= number < bound:
        raise InvalidOptionError(f"option {option}: {text} is out of range for type {type_}")
    return number


def _span_ms(text: str, option: str) -> int:
    parts = _SPAN.findall(text)
    units = [
        unit.lower() if unit.lower() in _UNITS_MS else unit.lower().removesuffix("s") for _, unit in parts
    ]
    if not parts or _SPAN.sub("", text).strip() or any(unit not in _UNITS_MS for unit in units):
        raise InvalidOptionError(
            f"option {option} cannot be '{text}'", hint="a duration such as 30s, 10min or 1 day"
        )
    return sum(int(number) * _UNITS_MS[unit] for (number, _), unit in zip(parts, units, strict=True))


def _basetime(text: str, option: str) -> dt.datetime:
    hint = "RFC 3339, such as 2020-01-01T00:00:00+00:00"
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise InvalidOptionError(f"option {option} cannot be '{text}'", hint=hint) from None
    if moment.tzinfo is None:
        raise InvalidOptionError(f"option {option} cannot be '{text}': it has no zone", hint=hint)
    return moment
