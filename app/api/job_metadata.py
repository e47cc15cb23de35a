"""Can a job's metadata be given back as it came?"""

from __future__ import annotations

import math
from typing import Any

from app.errors import SHOWN_CHARACTERS, InputError, pointer_to

DEEPEST_METADATA = 16
"""Lists and objects inside each other; what is some hundreds deep can be read and not be written again."""


def check_metadata(metadata: dict[str, Any]) -> None:
    """Refuses what could not be given back as it came: it must be finite, in Unicode, and not too deep.

    Raises:
        InputError: it is not.
    """
    waiting: list[tuple[object, str, int]] = [(metadata, "#/metadata", 1)]
    while waiting:
        value, pointer, depth = waiting.pop()
        code, rule = _unfit(value, depth)
        if code:
            place = pointer.removeprefix("#/").replace("/", ".")[:SHOWN_CHARACTERS]
            raise InputError(f"{place}: {rule}", code=code, pointer=pointer)
        if isinstance(value, dict):
            waiting.extend((item, pointer_to(pointer, [key]), depth + 1) for key, item in value.items())
        elif isinstance(value, list):
            waiting.extend((item, f"{pointer}/{position}", depth + 1) for position, item in enumerate(value))


def _unfit(value: object, depth: int) -> tuple[str, str]:
    """Why a value of the metadata cannot be given back: a code and a sentence, or two empty ones."""
    match value:
        case float() if not math.isfinite(value):
            return "finite_number", "must be a finite number; JSON has neither NaN nor Infinity, use null"
        case str() if not _is_unicode(value):
            return "string_unicode", "must be text in Unicode, and has half of a surrogate pair"
        case dict() if not all(map(_is_unicode, value)):
            return "string_unicode", "has a key that is no text in Unicode: half of a surrogate pair"
        case dict() | list() if depth > DEEPEST_METADATA:
            return "too_deep", f"is nested deeper than {DEEPEST_METADATA} levels; flatten it"
        case _:
            return "", ""


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)
