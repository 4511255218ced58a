"""RisingWave's composed types in PostgreSQL's terms: STRUCT<...>, MAP(k, v) and the literal MAP {k: v}.

A struct is a composite type `rw.struct_<digest>`, a map a type `rw.map_<digest>`; the digest is that of the fields or of key
and value, so that equal types have equal names and nobody has to be asked for one. `expand_types` puts these names into a
statement's text, everything else of which stays as it was written, and tells which types they stand for. Whoever runs the
statement sees to it first that they are there: the flow makes them (`engine.ddl.types`). No I/O.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from tailrace.errors import InvalidStatement
from tailrace.sql.dialect import TailraceSQL, tokens_of
from tailrace.sql.type_inference import UNKNOWN, canonical, common_type, constant_type

_GATE = re.compile(
    r"\bvector\s*\(|\bstruct\s*<|\bmap\s*[({]|\bmap_from_(?:key_values|entries)\s*\(|\barray\s*\[\s*(?:row\s*)?\(|\(\s*row\s*\("
    r"|\bmap_filter\s*\(|\w\"?\s*\[\s*'",
    re.IGNORECASE,
)
_KEYS = frozenset({"character varying", "smallint", "integer", "bigint"})
_TYPE = re.compile(r"[a-z_][a-z0-9_ ]*(\.[a-z0-9_]+)?(\(\d+(, ?\d+)?\))?[a-z ]*(\[\])*")
_BASE_WORDS = frozenset({"precision", "varying", "with", "without", "time", "zone"})
"""Words that go on with the name of a type: DOUBLE PRECISION, TIMESTAMP WITH TIME ZONE."""


@dataclass(frozen=True, slots=True)
class StructType:
    """Names and types of the fields, the types as PostgreSQL calls them."""

    fields: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """The composite type, with its schema."""
        return f"rw.struct_{_digest(text for pair in self.fields for text in pair)}"


@dataclass(frozen=True, slots=True)
class MapType:
    """A map from `key` to `value`, both as PostgreSQL calls them."""

    key: str
    value: str

    @property
    def name(self) -> str:
        """The type, with its schema."""
        return f"rw.map_{_digest((self.key, self.value))}"

    @property
    def entry(self) -> StructType:
        """The type of one entry."""
        return StructType((("key", self.key), ("value", self.value)))


@dataclass(frozen=True, slots=True)
class VectorType:
    """`vector(n)`: a type of its own, which has to be there, and is called in PostgreSQL what it is called here."""

    name: str = "vector"


ComposedType = StructType | MapType | VectorType


@dataclass(frozen=True, slots=True)
class Expanded:
    """A statement in PostgreSQL's terms, and the types that it names, those that others are made of first."""

    sql: str
    types: tuple[ComposedType, ...] = ()


def expand_types(sql: str) -> Expanded:
    """Replace composed types and map literals in a statement; its own text where there are none.

    >>> expand_types("SELECT NULL::STRUCT<a INT>").types
    (StructType(fields=(('a', 'integer'),)),)

    Raises InvalidStatement for a malformed type or literal, and for keys that RisingWave does not take.
    """
    if not _GATE.search(sql):
        return Expanded(sql)
    tokens = tokens_of(sql)
    if tokens is None:
        return Expanded(sql)
    rewriter = _Rewriter(sql, tokens)
    text = rewriter.whole()
    return Expanded(sql if text == sql else text, tuple(rewriter.types))


def struct_of(types: Iterable[str]) -> StructType:
    """The type of a row without names: its fields are f1, f2, ..."""
    return StructType(tuple((f"f{place}", canonical(type_)) for place, type_ in enumerate(types, start=1)))


def types_to_json(types: Iterable[ComposedType]) -> list[dict[str, object]]:
    """Types as values that JSON can carry."""
    return [_to_json(t) for t in types]


def _to_json(type_: ComposedType) -> dict[str, object]:
    if isinstance(type_, StructType):
        return {"fields": type_.fields}
    if isinstance(type_, MapType):
        return {"key": type_.key, "value": type_.value}
    return {}


def types_from_json(values: Iterable[dict[str, Any]]) -> list[ComposedType]:
    """The types that `types_to_json` was given. Raises InvalidStatement for a name of a type that is none."""
    return [_from_json(value) for value in values]


def _from_json(value: dict[str, Any]) -> ComposedType:
    if "fields" in value:
        return StructType(tuple((str(n), checked(t)) for n, t in value["fields"]))
    return MapType(checked(value["key"]), checked(value["value"])) if "key" in value else VectorType()


def checked(type_: str) -> str:
    """A type's name, which goes into DDL as it is. Raises InvalidStatement for anything else."""
    if not _TYPE.fullmatch(type_):
        raise InvalidStatement(f'invalid type "{type_}"')
    return type_


@dataclass(slots=True)
class _Rewriter:
    """Reads tokens from `at` on and writes the text anew."""

    sql: str
    tokens: list[Token]
    at: int = 0
    types: dict[ComposedType, None] = field(default_factory=dict)
    by_name: dict[str, ComposedType] = field(default_factory=dict)

    def whole(self) -> str:
        """The text from here to the end."""
        return self._until(len(self.tokens), len(self.sql), 0)

    def _until(self, stop: int, end: int, start: int) -> str:
        """The text from `start` to `end`, whose tokens go up to `stop`."""
        parts: list[str] = []
        position = start
        while self.at < stop:
            token = self.tokens[self.at]
            new = self._replacement()
            if new is None:
                self.at += 1
                continue
            parts += (self.sql[position : token.start], new)
            position = self.tokens[self.at - 1].end + 1
        return "".join((*parts, self.sql[position:end]))

    def _replacement(self) -> str | None:
        """What takes the place of the tokens from here on, which are then behind us; None leaves this one."""
        word, following = self._word(), self._text(1)
        if word == "struct" and following == "<":
            return self._type()
        if word == "map" and following == "(":
            return self._type()
        if word == "vector" and following == "(" and self._text(2).isdigit():
            self._known(VectorType())
            return None
        if word == "map" and following == "{":
            return self._map_literal()
        if word in ("map_from_key_values", "map_from_entries") and following == "(":
            return self._call(word)
        if word == "map_filter" and following == "(":
            return self._filter()
        length = self._name_before_text_subscript()
        if length:
            return self._text_subscripts(length)
        if word == "array" and following == "[" and self._text(2).lower() in ("row", "("):
            return self._array_of_rows()
        if word == "(" and following.lower() == "row" and self._text(2) == "(":
            return self._row_in_parentheses()
        return None

    # --- types ----------------------------------------------------------------------------------------------------

    def _type(self) -> str:
        """One type, arrays of it included."""
        if self._word() == "struct" and self._text(1) == "<":
            name = self._struct()
        elif self._word() == "map" and self._text(1) == "(":
            name = self._map()
        else:
            name = self._base()
        while self._text() == "[" and self._text(1) == "]":
            self.at += 2
            name += "[]"
        return name

    def _struct(self) -> str:
        self.at += 2
        fields: list[tuple[str, str]] = []
        while self._text() != ">":
            if fields:
                self._expect(",")
            token = self._token()
            self.at += 1
            quoted = token.token_type is TokenType.IDENTIFIER
            fields.append((token.text if quoted else token.text.lower(), self._type()))
        self.at += 1
        return self._known(StructType(tuple(fields)))

    def _map(self) -> str:
        self.at += 2
        key = self._type()
        self._expect(",")
        value = self._type()
        self._expect(")")
        return self.map_type(key, value).name

    def map_type(self, key: str, value: str) -> MapType:
        """The map type, noted with its entry's. Raises InvalidStatement for a key of another type than text or integer."""
        if key not in _KEYS:
            raise InvalidStatement(f"invalid map key type: {key}", hint="keys are varchar or integers")
        made = MapType(key, value)
        self._known(made.entry)
        self._known(made)
        return made

    def _base(self) -> str:
        first = self._token()
        self.at += 1
        text = self.sql[first.start : first.end + 1]
        while self.at < len(self.tokens) and self._word() in _BASE_WORDS:
            text += " " + self._word()
            self.at += 1
        if text.lower() == "vector":
            self._known(VectorType())
        if self._text() == "(":
            start = self._token().start
            self._skip()
            text += self.sql[start : self.tokens[self.at - 1].end + 1]
        return checked(canonical(text))

    def _known(self, type_: ComposedType) -> str:
        self.types.setdefault(type_)
        self.by_name[type_.name] = type_
        return type_.name

    # --- map literals and calls -----------------------------------------------------------------------------------

    def _map_literal(self) -> str:
        """MAP {key: value, ...}[subscript]...[::MAP(k, v)] as a call that makes it."""
        self.at += 2
        keys: list[str] = []
        values: list[str] = []
        while self._text() != "}":
            if keys:
                self._expect(",")
            keys.append(self._piece((":",)))
            self._expect(":")
            values.append(self._piece((",", "}")))
        self.at += 1
        declared = self._declared()
        key = common_type(self._inferred(k) for k in keys)
        value = common_type(self._inferred(v) for v in values)
        if declared is not None:
            key, value = declared.key, declared.value
        elif not keys:
            raise InvalidStatement(
                "cannot determine type of empty map",
                hint="Explicitly cast to the desired type, for example MAP{}::map(int,int).",
            )
        made = None
        if key is not None and value is not None:
            made = self.map_type(_or_text(key), _or_text(value))
        if made is not None and made.value.endswith("[]"):
            return self._subscripted(_of_entries(keys, values, made), made)
        types = (None, None) if made is None else (made.key, made.value)
        call = f"map_from_key_values({_array(keys, types[0])}, {_array(values, types[1])})"
        return self._subscripted(call, made)

    def _declared(self) -> MapType | None:
        """The type that a literal is cast to right away; the cast itself stays."""
        if self._text() != "::" or self._word(1) != "map" or self._text(2) != "(":
            return None
        back, self.at = self.at, self.at + 1
        type_ = self.by_name.get(self._type())
        self.at = back
        return type_ if isinstance(type_, MapType) else None

    def _subscripted(self, call: str, made: MapType | None) -> str:
        while made is not None and self._text() == "[":
            self.at += 1
            subscript = self._piece(("]",))
            self._expect("]")
            call = f"map_access({call}, ({subscript})::{made.key})"
            inner = self.by_name.get(made.value)
            made = inner if isinstance(inner, MapType) else None
        return f"({call})" if self._text() == "[" else call

    def _call(self, word: str) -> str:
        """A call that makes a map: the same, its type noted, an array of rows cast to entries."""
        start = self._token().start
        self.at += 2
        arguments: list[str] = []
        while self._text() != ")":
            if arguments:
                self._expect(",")
            arguments.append(self._piece((",", ")")))
        self.at += 1
        made: MapType | None = None
        types = [self._inferred(a) for a in arguments]
        if word == "map_from_key_values" and len(types) == 2 and types[0] and types[1]:
            key, value = types[0].removesuffix("[]"), types[1].removesuffix("[]")
            if types[0].endswith("[]") and types[1].endswith("[]"):
                made = self.map_type(_or_text(key), _or_text(value))
                word = f"{made.name}_of" if value.endswith("[]") else word
        elif word == "map_from_entries" and len(types) == 1 and types[0] and types[0].endswith("[]"):
            entry = self.by_name.get(types[0].removesuffix("[]"))
            if isinstance(entry, StructType) and len(entry.fields) == 2:
                made = self.map_type(entry.fields[0][1], entry.fields[1][1])
                arguments = [f"({arguments[0]})::{made.entry.name}[]"]
        if made is None:
            return f"{self.sql[start : start + len(word)]}({', '.join(arguments)})"
        return self._subscripted(f"{word}({', '.join(arguments)})", made)

    def _filter(self) -> str | None:
        """map_filter(map, |k, v| condition) as a query over the entries; NULL where none is left, as in RisingWave."""
        back = self.at
        self.at += 2
        map_ = self._piece((",",))
        names = self.tokens[self.at + 1 : self.at + 6]
        if [t.text for t in (names[0], names[2], names[4])] != ["|", ",", "|"]:
            self.at = back
            return None
        self.at += 6
        condition = self._piece((")",))
        self._expect(")")
        key, value = (self.sql[t.start : t.end + 1] for t in (names[1], names[3]))
        entries = (
            f"SELECT _m[_at] AS _entry, _at, (_m[_at]).key AS {key}, (_m[_at]).value AS {value} "  # noqa: S608
            f"FROM (SELECT map_entries({map_}) AS _m) AS _map, generate_subscripts(_map._m, 1) AS _at"
        )
        return f"(SELECT map_from_entries(array_agg(_entry ORDER BY _at)) FROM ({entries}) AS _entries WHERE {condition})"  # noqa: S608

    def _name_before_text_subscript(self) -> int:
        """How many tokens the name from here on has that ['...'] follows; 0 if none does. Arrays have no such subscripts."""
        end = self.at
        while end < len(self.tokens) and self.tokens[end].token_type in (TokenType.VAR, TokenType.IDENTIFIER):
            after = self.tokens[end + 1 : end + 4]
            if [t.text for t in after[:1]] == ["."]:
                end += 2
                continue
            is_text = len(after) == 3 and after[1].token_type is TokenType.STRING
            return end + 1 - self.at if is_text and (after[0].text, after[2].text) == ("[", "]") else 0
        return 0

    def _text_subscripts(self, length: int) -> str:
        """name['key']...: the values of a map; the name is of `length` tokens."""
        written = self.sql[self._token().start : self.tokens[self.at + length - 1].end + 1]
        self.at += length
        while self._text() == "[":
            key = self.tokens[self.at + 1]
            if key.token_type is not TokenType.STRING:
                break
            self.at += 3
            written = f"map_access({written}, {self.sql[key.start : key.end + 1]})"
        return f"({written})" if self._text() == "[" else written

    def _array_of_rows(self) -> str | None:
        """ARRAY[ROW(...), ...] of constants as an array of structs: PostgreSQL cannot make one of an array of records."""
        back = self.at
        self.at += 1
        self._skip("[", "]")
        end = self.tokens[self.at - 1].end + 1
        text = self.sql[self.tokens[back].start : end]
        type_ = None if self._text() == "::" else self._inferred(text)
        if type_ is None or not type_.startswith("rw.struct_"):
            self.at = back
            return None
        return f"{text}::{type_}"

    def _row_in_parentheses(self) -> str | None:
        """(ROW(...)).field of constants: as a struct it has fields."""
        back = self.at
        self._skip()
        after = self._text()
        text = self.sql[self.tokens[back].start : self.tokens[self.at - 1].end + 1]
        type_ = self._inferred(text) if after == "." else None
        if type_ is None or not type_.startswith("rw.struct_"):
            self.at = back
            return None
        return f"({text}::{type_})"

    def _piece(self, ends: tuple[str, ...]) -> str:
        """The text up to one of these symbols outside of brackets, rewritten; the symbol is not taken."""
        first = self.at
        depth = 0
        stop = self.at
        while stop < len(self.tokens):
            text = self.tokens[stop].text if self.tokens[stop].token_type is not TokenType.STRING else ""
            if depth == 0 and text in ends:
                break
            depth += (text in ("(", "[", "{")) - (text in (")", "]", "}"))
            stop += 1
        else:
            raise InvalidStatement("syntax error at end of input")
        if stop == first:
            raise InvalidStatement(f'syntax error at or near "{self._text()}"')
        return self._until(stop, self.tokens[stop - 1].end + 1, self.tokens[first].start)

    def _inferred(self, text: str) -> str | None:
        """The type of a constant expression; None if only PostgreSQL can tell."""
        try:
            tree = TailraceSQL().parse(f"SELECT {text}")[0]
        except SqlglotError:
            return None
        if not isinstance(tree, exp.Select) or len(tree.expressions) != 1:
            return None
        return constant_type(tree.expressions[0], self._row, self._made_by)

    def _row(self, types: list[str]) -> str:
        return self._known(struct_of(types))

    def _made_by(self, name: str, arguments: list[str | None]) -> str | None:
        """The type that a call of ours gives."""
        if name == "map_from_key_values" and arguments[0] and arguments[1]:
            return MapType(arguments[0].removesuffix("[]"), arguments[1].removesuffix("[]")).name
        if name == "map_access" and arguments[0]:
            found = self.by_name.get(arguments[0])
            return found.value if isinstance(found, MapType) else None
        return None

    # --- tokens ---------------------------------------------------------------------------------------------------

    def _token(self) -> Token:
        if self.at >= len(self.tokens):
            raise InvalidStatement("syntax error at end of input")
        return self.tokens[self.at]

    def _text(self, ahead: int = 0) -> str:
        at = self.at + ahead
        if at >= len(self.tokens) or self.tokens[at].token_type in (TokenType.STRING, TokenType.IDENTIFIER):
            return ""
        return self.tokens[at].text

    def _word(self, ahead: int = 0) -> str:
        return self._text(ahead).lower()

    def _expect(self, symbol: str) -> None:
        if self._text() != symbol:
            near = self._token().text
            raise InvalidStatement(f'syntax error at or near "{near}"')
        self.at += 1

    def _skip(self, opening: str = "(", closing: str = ")") -> None:
        """Take a balanced pair of parentheses."""
        depth = 0
        while True:
            text = self._text()
            self._token()
            depth += (text == opening) - (text == closing)
            self.at += 1
            if depth == 0:
                return


def _or_text(type_: str) -> str:
    return "character varying" if type_ == UNKNOWN else type_


def _of_entries(keys: list[str], values: list[str], made: MapType) -> str:
    """The call that makes a map of arrays: an array of arrays would be one array in PostgreSQL, and had to be rectangular."""
    rows = ", ".join(f"ROW({key}, {value})" for key, value in zip(keys, values, strict=True))
    return f"map_from_entries(ARRAY[{rows}]::{made.entry.name}[])"


def _array(items: list[str], element: str | None) -> str:
    shown = ", ".join(items)
    return f"ARRAY[{shown}]" if element is None else f"ARRAY[{shown}]::{element}[]"


def _digest(texts: Iterable[str]) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
