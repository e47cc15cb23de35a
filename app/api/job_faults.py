"""Where in a request's own body is what is wrong with its job? A document is proven as a whole; its parts came from several places.

columns, context, horizon, training, scaling   where the request says them itself
anything else of the document               under `architecture` where it came inline, else at `architecture` or `init_from`, which name it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import Fault, pointer_to
from app.spec.forecaster import ForecasterSpec

INLINE = "#/architecture"
ORIGIN = "#/init_from"
WHOLE = "#"


def told_faults(faults: Sequence[Fault], body: Mapping[str, Any]) -> tuple[Fault, ...]:
    """The faults of a resolved document, each at a place that its reader has written.

    Args:
        faults: their pointers start at the resolved document, or at the request.
        body: the request, without what it left out.
    """
    return tuple(Fault(_existing(_place(fault, body), body, fault.code), fault.code, fault.detail) for fault in faults)


def _place(fault: Fault, body: Mapping[str, Any]) -> str:
    pointer = fault.pointer
    section, *rest = _keys(pointer) or [""]
    inline = isinstance(body.get("architecture"), dict)
    match section:
        case "context" | "horizon" if body.get(section) is not None or fault.code == "missing":
            return pointer
        case "training" | "scaling" if body.get(section) and (not rest or rest[0] in body[section]):
            return pointer
        case "" if body.get("training"):
            # Only what replaces parts of a document is as deep as that without being refused before.
            return "#/training"
        case "inputs" if rest and rest[0] in (body.get("columns") or {}) and rest[1:2] != ["features"]:
            return pointer_to("#/columns", rest[:1])
        case "columns" if pointer.removeprefix("#/columns/") in body.get("columns", {}):
            return pointer_to("#/columns", [pointer.removeprefix("#/columns/")])
        case _ if section in ForecasterSpec.model_fields:
            named = INLINE if body.get("architecture") is not None or body.get("init_from") is None else ORIGIN
            return f"{INLINE}/{pointer.removeprefix('#/')}" if inline else named
        case _:
            return pointer


def _existing(pointer: str, body: Mapping[str, Any], code: str) -> str:
    """The pointer, cut off where the body has no such key; what is missing is pointed at where it is wanted."""
    here: object = body
    found: list[str] = []
    keys = _keys(pointer)
    for position, key in enumerate(keys):
        if isinstance(here, Mapping) and key in here:
            here = here[key]
        elif isinstance(here, Sequence) and key.isdecimal() and int(key) < len(here):
            here = here[int(key)]
        elif code != "missing" or position < len(keys) - 1:
            break
        found.append(key)
    return pointer_to(WHOLE, found)


def _keys(pointer: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
