"""What CREATE SOURCE says behind its columns and upstream's parser does not read: INCLUDE without AS, dotted options of ENCODE.

Mixed into the dialect's parser (`tailrace.sql.dialect`). Source: RisingWave docs, CREATE SOURCE.
"""

from __future__ import annotations

from sqlglot import exp
from sqlglot.dialects.risingwave import RisingWave
from sqlglot.tokenizer_core import TokenType


class SourceSyntax(RisingWave.Parser):  # type: ignore[valid-type, misc]
    """As upstream, these two clauses apart."""

    def _parse_include_property(self) -> exp.Expr:
        """`INCLUDE what ['header' [type]] [AS name]`."""
        this = self._parse_var_or_string()
        header = self._parse_string()
        column = None
        if header is not None:
            kind = (
                None
                if self._curr and self._curr.token_type is TokenType.ALIAS
                else self._try_parse(self._parse_types)
            )
            column = self.expression(exp.ColumnDef(this=header, kind=kind))
        alias = self._parse_id_var(tokens=self.ALIAS_TOKENS) if self._match(TokenType.ALIAS) else None
        return self.expression(exp.IncludeProperty(this=this, alias=alias, column_def=column))  # type: ignore[no-any-return]

    def _parse_encode_property(self, key: bool | None = None) -> exp.EncodeProperty:
        """`ENCODE how [(option = value, ...)]`."""
        self._match_text_seq("ENCODE")
        this = self._parse_var_or_string()
        properties = None
        if self._match(TokenType.L_PAREN, advance=False):
            properties = self.expression(
                exp.Properties(expressions=self._parse_wrapped_csv(self._parse_encode_option))
            )
        return self.expression(exp.EncodeProperty(this=this, properties=properties, key=key))  # type: ignore[no-any-return]

    def _parse_encode_option(self) -> exp.Expr | None:
        words = []
        while self._curr is not None and self._curr.token_type not in (TokenType.EQ, TokenType.R_PAREN):
            words.append(self._curr.text)
            self._advance()
        if not words:
            return None
        if not self._match(TokenType.EQ):
            self.raise_error("Expected = after an option of ENCODE")
        value = self._parse_primary() or self._parse_var(any_token=True)
        return self.expression(exp.Property(this=exp.var("".join(words)), value=value))  # type: ignore[no-any-return]
