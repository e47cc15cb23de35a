"""How does a document become a description? Each fault is given its place in the user's own document, its rule, its value and a way out."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from app.errors import Fault, SpecError, pointer_to, shown
from app.spec.blocks import ALL_KINDS
from app.spec.cells import Description
from app.spec.decoders import Decoder
from app.spec.forecaster import ForecasterSpec, Head, Scaling
from app.spec.inputs import Input
from app.spec.schedules import SCHEDULES
from app.spec.training import Phase, Training

DEEPEST_DOCUMENT = 100
"""Lists and objects inside each other: far more than any network needs, far less than a stack overflow."""


def _kinds_in(kinds: Iterable[type[Description]]) -> dict[str, type[Description]]:
    return {get_args(kind.model_fields["kind"].annotation)[0]: kind for kind in kinds}


_BLOCKS = _kinds_in(ALL_KINDS)
_HEADS = _kinds_in(get_args(get_args(Head)[0]))
_DECODERS = _kinds_in(get_args(get_args(Decoder)[0]))
_SCHEDULES = {name: options for name, options in SCHEDULES.items() if options is not None}
_KINDS = {**_BLOCKS, **_HEADS, **_DECODERS, **_SCHEDULES}
_SECTIONS = {"scaling": Scaling, "training": Training}


def parse_spec(document: object, *, base: str = "#") -> ForecasterSpec:
    """The description that a decoded JSON document is.

    Args:
        document: what `json.loads` gave.
        base: JSON pointer of the document within the request's body.

    Raises:
        SpecError: it is none; all faults are named.
    """
    if _depth(document) > DEEPEST_DOCUMENT:
        raise SpecError(f"the document is nested deeper than {DEEPEST_DOCUMENT} levels; flatten it", code="too_deep", pointer=base)
    try:
        return ForecasterSpec.model_validate(document)
    except ValidationError as error:
        faults = tuple(_fault(details, document, base) for details in error.errors(include_url=False))
        raise SpecError("; ".join(fault.detail for fault in faults[:3]), faults=faults) from error


def canonical(spec: ForecasterSpec) -> bytes:
    """The description as bytes that neither key order nor written-out defaults move, nor keys that come with later versions."""
    return json.dumps(spec.model_dump(mode="json", by_alias=True, exclude_defaults=True), sort_keys=True, separators=(",", ":")).encode()


def spec_digest(spec: ForecasterSpec) -> str:
    """The description's identity: sha256 of its canonical form."""
    return hashlib.sha256(canonical(spec)).hexdigest()


def json_schema() -> dict[str, Any]:
    """JSON Schema of a document, as an editor needs it."""
    return ForecasterSpec.model_json_schema(by_alias=True)


def _depth(document: object) -> int:
    deepest, waiting = 0, [(document, 1)]
    while waiting:
        value, depth = waiting.pop()
        deepest = max(deepest, depth)
        if depth > DEEPEST_DOCUMENT:
            break
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        waiting.extend((item, depth + 1) for item in inside)
    return deepest


def _fault(details: ErrorDetails, document: object, base: str) -> Fault:
    path, parent = _place(details["loc"], document)
    place = ".".join(map(str, path)) or "the document"
    return Fault(pointer_to(base, path), details["type"], f"{place}: {_sentence(details, path, parent, document)}")


def _place(location: Sequence[int | str], document: object) -> tuple[list[int | str], object]:
    """The path in the document, without the union tags that pydantic puts in; and what holds its last part."""
    path: list[int | str] = []
    here: object = document
    parent: object = document
    for part in location:
        if not isinstance(here, dict | list | tuple):
            break  # the rest are tags of a union: a word or a number has no parts
        is_tag = isinstance(here, dict) and part not in here and part == here.get("kind")
        if is_tag or part == "[key]":
            continue
        parent = here
        path.append(part)
        if isinstance(here, dict):
            here = here.get(str(part))
        elif isinstance(part, int) and part < len(here):
            here = here[part]
    return path, parent


def _sentence(details: ErrorDetails, path: Sequence[int | str], parent: object, document: object) -> str:
    value = details["input"]
    match details["type"]:
        case "extra_forbidden":
            return f"{path[-1]!r} is not a key here{_nearest(str(path[-1]), _known_keys(path, parent, document))}"
        case "union_tag_invalid":
            what, kinds = _union_at(path)
            kind = value.get("kind") if isinstance(value, dict) else value
            return f"{shown(kind)} is not a kind of {what}{_nearest(str(kind), sorted(kinds))}"
        case "union_tag_not_found":
            what, kinds = _union_at(path)
            return f"an object with a 'kind' is wanted; kinds of {what} are {', '.join(sorted(kinds))}"
        case "model_type" if isinstance(value, str) and value in SCHEDULES:
            return f"{shown(value)} has options; write it as an object, such as {{'kind': {shown(value)}}}"
        case "missing":
            return "is missing and has no default"
        case "finite_number":
            return "must be a finite number; JSON has neither NaN nor Infinity"
        case _:
            message = details["msg"]
            return f"{message[0].lower()}{message[1:]}, and is {shown(value)}"


def _union_at(path: Sequence[int | str]) -> tuple[str, Iterable[str]]:
    """What a kind is wanted of at a place, and the kinds there are."""
    match path[-1:]:
        case ["head"]:
            return "head", _HEADS
        case ["decoder"]:
            return "decoder", _DECODERS
        case ["schedule"]:
            return "schedule", SCHEDULES
        case _:
            return "block", _BLOCKS


def _known_keys(path: Sequence[int | str], parent: object, document: object) -> list[str]:
    model: Any = Input
    if parent is document:
        model = ForecasterSpec
    elif isinstance(parent, dict) and parent.get("kind") in _KINDS:
        model = _KINDS[str(parent["kind"])]
    elif list(path[:2]) == ["training", "phases"]:
        model = Phase
    elif str(path[0]) in _SECTIONS:
        model = _SECTIONS[str(path[0])]
    return sorted(field.alias or name for name, field in model.model_fields.items())


def _nearest(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{hint} known are {', '.join(known)}"
