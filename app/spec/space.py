"""What does a search vary? Parameters of a document, each with the values that it may be drawn from, and the document that a draw makes.

"units", "layers", "cell", "dropout", "lr", "context"      what most documents have, by a word
"/network/blocks/0/dilation"                               any place of the document, by its JSON pointer

{"low": 16, "high": 128, "log": true}      whole numbers where both ends are; `step` in place of `log`
{"choices": ["lstm", "gru"]}               any values, whole blocks too
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, get_args

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from app.errors import Fault, SpecError, pointer_to, shown
from app.spec.blocks import Model, every
from app.spec.cells import AnyCell, Cell, Description
from app.spec.facts import PanelFacts
from app.spec.forecaster import ForecasterSpec
from app.spec.parse import parse_spec
from app.spec.resolve import resolve_spec

CELLS = tuple(str(get_args(kind.model_fields["kind"].annotation)[0]) for kind in get_args(Cell))

WORDS = ("cell", "units", "dropout", "layers", "lr", "context")
"""In the order in which they are applied, after pointers."""

FIXED = ("/version", "/horizon")
"""Trials of several could not be compared."""

MOST_CHOICES = 100
MOST_PARAMETERS = 32

Number = int | float


class Range(Description):
    """Numbers from one end to the other, both included.

    Attributes:
        low: the least.
        high: the largest.
        log: drawn evenly by their logarithm.
        step: from one to the next, from `low` on.
    """

    low: Number
    high: Number
    log: bool = False
    step: Number | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low must be less than high, and they are {self.low} and {self.high}; use 'choices' for a single value")
        if self.log and self.low <= 0:
            raise ValueError(f"log wants a low above zero, and it is {self.low}; leave log out, or raise low")
        if self.log and self.step is not None:
            raise ValueError("log and step cannot be together; leave one of them out")
        if self.step is not None and not 0 < self.step <= self.high - self.low:
            raise ValueError(f"step must be above zero and at most {self.high - self.low}, from low to high, and is {self.step}")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are drawn."""
        return all(isinstance(number, int) for number in (self.low, self.high, self.step or 1))


class Choices(Description):
    """One of some values.

    Attributes:
        choices: anything that may stand at the place.
    """

    choices: Annotated[tuple[Any, ...], Field(min_length=1, max_length=MOST_CHOICES, strict=False)]


Space = Mapping[str, Range | Choices]

Drawn = Mapping[str, Any]
"""A value for each parameter; none at all leaves a document as it is."""


def parse_space(written: Mapping[str, Any], base: str = "#/space") -> dict[str, Range | Choices]:
    """The space that a decoded JSON object is.

    Args:
        written: values by parameter.
        base: JSON pointer of the object within the request's body.

    Raises:
        SpecError: it is none; all faults are named.
    """
    if not 1 <= len(written) <= MOST_PARAMETERS:
        sentence = f"space: must have 1 to {MOST_PARAMETERS} parameters, and has {len(written)}; leave it out for what suits the document"
        raise SpecError(sentence, code="space", pointer=base)
    space: dict[str, Range | Choices] = {}
    faults: list[Fault] = []
    for name, values in written.items():
        place = pointer_to(base, [name])
        try:
            _check_name(name)
            space[name] = (Choices if isinstance(values, dict) and "choices" in values else Range).model_validate(values)
        except SpecError as error:
            faults.append(Fault(place, error.fault_code, error.detail))
        except ValidationError as error:
            faults += [_fault(name, place, details) for details in error.errors(include_url=False)]
    if faults:
        raise SpecError("; ".join(fault.detail for fault in faults[:3]), faults=tuple(faults))
    return space


def _fault(name: str, place: str, details: ErrorDetails) -> Fault:
    key, message = details["loc"][:1], details["msg"]
    match details["type"]:
        case "value_error":
            sentence = message.removeprefix("Value error, ")
        case "extra_forbidden":
            sentence = f"{key[0]!r} is not a key here; use low, high, log and step, or choices"
        case "missing":
            sentence = f"{key[0]!r} is missing; give low and high, or choices"
        case "model_type":
            sentence = f"must be an object such as {{'low': 16, 'high': 128}} or {{'choices': [16, 32]}}, and is {shown(details['input'])}"
        case _:
            sentence = f"{message[:1].lower()}{message[1:]}, and is {shown(details['input'])}"
    return Fault(pointer_to(place, key), details["type"], f"space.{name}: {sentence}")


def _check_name(name: str) -> None:
    if name in FIXED:
        sentence = f"space: {name!r} cannot be varied: trials could not be compared; leave it out"
        raise SpecError(sentence, code="not_varied")
    if name in WORDS or name.startswith("/"):
        return
    close = difflib.get_close_matches(name, WORDS, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    sentence = f"space: {name[:64]!r} is no parameter; {hint}use {', '.join(WORDS)}, or a JSON pointer such as '/training/batch_size'"
    raise SpecError(sentence, code="unknown_parameter")


def written_space(space: Space) -> dict[str, Any]:
    """What `parse_space` takes."""
    return {name: values.model_dump(mode="json", exclude_defaults=True) for name, values in space.items()}


def default_values(spec: ForecasterSpec, longest_context: int) -> dict[str, list[Range | Choices]]:
    """What may be varied of a document by default: for each word some values, the first of which that suit it are to be taken.

    Args:
        spec: complete: with context and horizon.
        longest_context: that the data has room for.
    """
    context = spec.context or 1
    lowest, highest = max(1, context // 2), max(context, min(2 * context, longest_context))
    contexts = [(low, high) for low, high in ((lowest, highest), (context, highest), (lowest, context)) if low < high]
    return {
        "units": [Range(low=16, high=128, log=True)],
        "layers": [Range(low=1, high=4)],
        "cell": [Choices(choices=("lstm", "gru", "elman"))],
        "dropout": [Range(low=0.0, high=0.4, step=0.1)],
        "lr": [] if spec.training.lr == "auto" else [Range(low=5e-4, high=2e-2, log=True)],
        "context": [Range(low=low, high=high) for low, high in contexts],
    }


def ends(values: Range | Choices) -> list[tuple[str, Any]]:
    """The outermost values of a parameter, or all of them, each with its place."""
    match values:
        case Range(low=low, high=high):
            return [("low", low), ("high", high)]
        case Choices(choices=choices):
            return [(f"choices/{number}", value) for number, value in enumerate(choices)]


def drawn_spec(document: Mapping[str, Any], drawn: Drawn, facts: PanelFacts) -> ForecasterSpec:
    """The description that a draw makes.

    Args:
        document: complete, with its defaults written out.
        drawn: values by parameter.
        facts: of the dataset, by which what a value leaves to the data is filled in.

    Raises:
        SpecError: a parameter has no place in the document, the description is none, or it reads another model than the document.
    """
    made = copy.deepcopy(dict(document))
    pointers = sorted((name for name in drawn if name.startswith("/")), key=lambda name: name.count("/"))
    for name in pointers:
        _put(made, name, copy.deepcopy(drawn[name]))
    for name in (word for word in WORDS if word in drawn):
        _apply(made, name, drawn[name])
    spec = parse_spec(made)
    if _models_in(spec) - _models_in(parse_spec(document)):
        # Whose they are is proven of the document alone.
        raise SpecError("a stored model cannot be one of the values; name it in the architecture", code="not_varied")
    return resolve_spec(spec, facts)


def _models_in(spec: ForecasterSpec) -> set[tuple[str, str | None]]:
    return {(block.model, block.digest) for block in every(spec.network) if isinstance(block, Model)}


def _put(document: dict[str, Any], pointer: str, value: Any) -> None:
    """Replace what a JSON pointer names.

    Raises:
        SpecError: there is no such place.
    """
    here: Any = document
    key: int | str = ""
    parent: Any = document
    for part in pointer[1:].split("/"):
        parent = here
        key = int(part) if isinstance(here, list) and part.isdecimal() else part.replace("~1", "/").replace("~0", "~")
        there = range(len(here)) if isinstance(here, list) else here if isinstance(here, dict) else ()
        if key not in there:
            found = ", ".join(map(str, there)) or "nothing"
            sentence = f"{pointer[:128]!r} is no place of the document: there is no {part[:64]!r}; there are: {found}"
            raise SpecError(sentence, code="unknown_place")
        here = here[key]
    parent[key] = value


def _apply(document: dict[str, Any], name: str, value: Any) -> None:
    match name:
        case "lr":
            document["training"]["lr"] = value
        case "context":
            document["context"] = value
        case "layers":
            document["network"] = _layered(document["network"], value)
        case _:
            layers = list(_recurrent(document["network"]))
            if not layers:
                raise SpecError(f"the network has no recurrent layer whose {name} could be varied; leave it out", code="unknown_place")
            for layer in layers:
                _change(layer, name, value)


def _change(layer: dict[str, Any], name: str, value: Any) -> None:
    if name != "cell":
        layer[name] = value
        return
    if value not in CELLS:
        raise SpecError(f"{shown(value)} is no recurrent layer; use {', '.join(CELLS)}", code="unknown_cell")
    if layer["kind"] != value:
        # What every recurrent layer may carry stays, a cell's own options go.
        common = {field.alias or key for key, field in AnyCell.model_fields.items()}
        for key in [key for key in layer if key not in common]:
            del layer[key]
        layer["kind"] = value


def _recurrent(block: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The recurrent layers of a network, but for those of stored models in it."""
    if block["kind"] in CELLS:
        yield block
    for one in (*block.get("blocks", ()), *block.get("branches", ()), *(block[key] for key in ("encoder", "decoder") if key in block)):
        yield from _recurrent(one)


def _layered(network: dict[str, Any], count: Any) -> dict[str, Any]:
    """A network of so many equal layers.

    Raises:
        SpecError: it is no layer, and no stack of equal ones.
    """
    if not isinstance(count, int) or not 1 <= count <= 64:
        raise SpecError(f"layers must be a whole number from 1 to 64, and is {shown(count)}", code="layers")
    blocks = network["blocks"] if network["kind"] == "stack" and network["repeat"] == 1 else [network]
    bare = [{key: value for key, value in block.items() if key not in {"name", "from"}} for block in blocks]
    if bare[0]["kind"] not in CELLS or any(block != bare[0] for block in bare):
        sentence = "the network is no recurrent layer, and no stack of equal ones; leave layers out, or vary a place of the document"
        raise SpecError(sentence, code="layers")
    around = network if network["kind"] == "stack" else {"kind": "stack"}
    return {**around, "blocks": [blocks[0], *([bare[0]] * (count - 1))]}
