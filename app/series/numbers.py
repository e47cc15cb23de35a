"""Which text is a number, and which is a way of writing that there is none?"""

from __future__ import annotations

import re
from typing import Literal

import polars as pl

MISSING = frozenset({"", "na", "n/a", "#n/a", "null", "none", "nil", "-", "--", ".", "?", "missing"})
"""What people write where a number is missing, in lower case; only in columns of numbers."""

NON_FINITE = frozenset({"nan", "+nan", "-nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"})

POINT_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
COMMA_NUMBER = re.compile(r"[+-]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][+-]?\d+)?")

Kind = Literal["number", "words", "text"]
"""`number`: nothing but numbers; `words`: numbers, and words for missing ones; `text`: anything else."""


def kind_of(sample: pl.Series, *, decimal_comma: bool = False) -> Kind:
    """What a column of text seems to hold; an empty one may become numbers."""
    pattern = COMMA_NUMBER if decimal_comma else POINT_NUMBER
    values = {value.strip().lower() for value in sample.drop_nulls().unique().to_list()} - {""}
    words = {value for value in values if not pattern.fullmatch(value)}
    if not words:
        return "number"
    return "words" if words <= MISSING | NON_FINITE and not values <= MISSING else "text"


def number(column: str, *, decimal_comma: bool = False) -> pl.Expr:
    """The numbers in a column of text; null where there is none or what stands there is not one."""
    text = pl.col(column).str.strip_chars()
    return (text.str.replace(",", ".", literal=True) if decimal_comma else text).cast(pl.Float64, strict=False)


def not_a_number(column: str, *, decimal_comma: bool = False) -> pl.Expr:
    """Whether a text is neither a number nor a word for a missing one."""
    words = pl.col(column).str.strip_chars().str.to_lowercase()
    return pl.col(column).is_not_null() & number(column, decimal_comma=decimal_comma).is_null() & ~words.is_in(sorted(MISSING))


def overflows(column: str, *, decimal_comma: bool = False) -> pl.Expr:
    """Whether a text is a number beyond what 64 bits hold, such as 1e400."""
    words = pl.col(column).str.strip_chars().str.to_lowercase()
    return number(column, decimal_comma=decimal_comma).is_infinite() & ~words.is_in(sorted(NON_FINITE))
