"""Which weights of a trained network can another one begin with? Those of blocks that are the same in both, by name and then by place.

    by name     a named block, and what is in it, takes from the block of that name, wherever that stands
    by place    any other takes from the block at its place, where the blocks around both are of the same kinds
    words       of an input take what stands for them, where its words are the same
    decoder     takes from the decoder, under an equal head, where a block before it has taken something

What is of another kind or shape is left as it was drawn. Shapes are compared on networks without numbers, so this costs milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from app.errors import shown
from app.nets.autoencoder import Autoencoder as AutoencoderModule
from app.nets.blocks import Tap
from app.nets.build import PLACE, Network, build
from app.nets.combinators import Branches, Chain, Skipped
from app.spec.blocks import Autoencoder, Block, Connect, Stack
from app.spec.forecaster import ForecasterSpec
from app.spec.inputs import Input
from app.spec.phases import DECODER

BODY, WORDS = "body", "embeddings"
"""What the weights of the blocks, and of the words of inputs, begin with in a network; all others are the decoder's."""

WRAPPED = "inner."
"""What the weights of a cell are in when it is wrapped, so that it may be dilated here and was not there."""

_NO_OPTIONS = frozenset({"kind", "name", "source", "blocks", "branches"})


@dataclass(frozen=True, eq=False)
class Part:
    """A block with weights of its own, a gate, or the decoder.

    Attributes:
        place: as in metrics, `network.0.1`.
        key: what it is found by in another document: the nearest name, and the way from there.
        has_name: whether the key begins with a name, or else with the outermost block.
        kinds: of the blocks around it from the outermost in, and its own.
        options: of its block.
        names: of its weights in the network, by what they are in the part: the wrappers around a cell have none of their own.
        shapes: of its weights.
    """

    place: str
    key: str
    has_name: bool
    kinds: tuple[str, ...]
    options: Mapping[str, Any]
    names: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Taken:
    """A part that begins with weights from elsewhere: its place, and theirs."""

    place: str
    origin: str


@dataclass(frozen=True)
class Left:
    """A part that begins as it was drawn, and why."""

    place: str
    reason: str


@dataclass(frozen=True, eq=False)
class Inheritance:
    """What a network begins with.

    Attributes:
        pairs: parts of the network, and of its origin.
        left: parts that have none.
        notes: what is otherwise than in the origin.
    """

    pairs: tuple[tuple[Part, Part], ...]
    left: tuple[Left, ...]
    notes: tuple[str, ...]

    @cached_property
    def taken(self) -> tuple[Taken, ...]:
        """The pairs by their places."""
        return tuple(Taken(part.place, origin.place) for part, origin in self.pairs)

    def weights(self, origin: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights that are taken over, by their names in the network.

        Args:
            origin: all weights of the origin.
        """
        return {part.names[name]: origin[other.names[name]] for part, other in self.pairs for name in part.shapes}


def inheritance(spec: ForecasterSpec, origin: ForecasterSpec) -> Inheritance:
    """What the network of one description can take over from that of another; both complete."""
    parts, others = parts_of(spec), parts_of(origin)
    by_key, by_place = {part.key: part for part in others if part.has_name}, {part.place: part for part in others}
    named = {part.key for part in parts if part.has_name}
    pairs: list[tuple[Part, Part]] = []
    left = []
    for part in parts:
        found = by_key.get(part.key) if part.has_name else None
        at_place = by_place.get(part.place)
        if found is None and at_place is not None and not (at_place.has_name and at_place.key in named):
            found = at_place
        reason = _reason(part, found)
        if part.place == DECODER and (spec.head != origin.head or not pairs):
            reason = "the head is another" if spec.head != origin.head else "nothing of what it reads is taken over"
        if found is None or reason:
            left.append(Left(part.place, reason))
        else:
            pairs.append((part, found))
    return Inheritance(tuple(pairs), tuple(left), (*_option_notes(pairs), *_input_notes(spec, origin)))


def _reason(part: Part, origin: Part | None) -> str:
    """Why a part cannot take over the weights of another; empty where it can."""
    if part.kinds[-1] == "smooth":
        return "its parameters are of single series, and begin fitted to those of this job"
    if origin is None:
        return "the origin has no such block"
    if part.kinds[-1] != origin.kinds[-1]:
        return f"is {part.kinds[-1]!r} here and {origin.kinds[-1]!r} in the origin"
    if part.kinds[-1] == WORDS and part.options != origin.options:
        return "its words are others in the origin"
    if not part.has_name and part.kinds != origin.kinds:
        return "stands within other blocks than in the origin; names find it wherever it stands"
    for name in sorted(part.shapes.keys() | origin.shapes.keys()):
        here, there = part.shapes.get(name), origin.shapes.get(name)
        if here != there:
            return f"{name} is {_shape(here)} here and {_shape(there)} in the origin"
    return ""


def _shape(shape: tuple[int, ...] | None) -> str:
    return "not there" if shape is None else " x ".join(map(str, shape)) or "one number"


def _option_notes(pairs: list[tuple[Part, Part]]) -> Iterator[str]:
    for part, origin in pairs:
        for key, value in part.options.items():
            if origin.options.get(key) != value:
                yield f"{part.place}: {key} is {shown(value)} here and {shown(origin.options.get(key))} in the origin"


def _input_notes(spec: ForecasterSpec, origin: ForecasterSpec) -> Iterator[str]:
    for name, group in spec.inputs.items():
        other = origin.inputs.get(name)
        here = _columns_of(group)
        there = None if other is None else _columns_of(other)
        if here != there:
            read = "is not in the origin" if there is None else f"reads {', '.join(there)} in the origin"
            yield f"the input {name!r} reads {', '.join(here)} here and {read}; weights are taken over in the order of columns"
    if spec.scaling.target != origin.scaling.target:
        yield f"the target is scaled by {spec.scaling.target!r} here and by {origin.scaling.target!r} in the origin"
    if spec.scaling.over != origin.scaling.over:
        yield f"the target is measured over the {spec.scaling.over!r} here and over the {origin.scaling.over!r} in the origin"
    if spec.scaling.covariates == "standard" and any(column != "y" for group in spec.inputs.values() for column in group.columns):
        yield "covariates are scaled by the mean and deviation of this job's training part, not by the origin's"


def _columns_of(group: Input) -> list[str]:
    lags = [f"lag {lag}" for lag in group.lag_steps]
    return [*group.columns, *lags, *group.features, *(["age"] if group.age else []), *(["scale"] if group.scale else [])]


def parts_of(spec: ForecasterSpec) -> tuple[Part, ...]:
    """The parts of a description's network, in document order; the decoder is the last."""
    with torch.device("meta"):
        network: Network = build(spec)
    shapes = {name: tuple(weight.shape) for name, weight in network.state_dict().items()}
    parts = [*_parts(spec.network, network.body, PLACE, BODY, (), ("", PLACE), shapes)]
    for name, group in spec.inputs.items():
        if group.embed is not None:
            words = group.model_dump(mode="json", include={"categories"})
            parts.append(_part(f"inputs.{name}", (WORDS,), words, f"{WORDS}.{name}.", ("", ""), shapes))
    decoder = {name: shape for name, shape in shapes.items() if not name.startswith((f"{BODY}.", f"{WORDS}."))}
    parts.append(Part(DECODER, DECODER, False, (DECODER,), {}, {name: name for name in decoder}, decoder))
    return tuple(part for part in parts if part.shapes)


def _parts(
    block: Block,
    module: nn.Module,
    place: str,
    path: str,
    around: tuple[str, ...],
    named: tuple[str, str],
    shapes: Mapping[str, tuple[int, ...]],
) -> Iterator[Part]:
    """The parts of a block.

    Args:
        block: the description.
        module: of the network.
        place: of the block.
        path: of the module.
        around: kinds of the blocks that it stands in.
        named: the nearest name around it, and the place of what has it.
        shapes: of all weights.
    """
    if isinstance(module, Tap):
        module, path = module.block, f"{path}.block"
    named = named if block.name is None else (block.name, place)
    kinds = (*around, block.kind)
    match block, module:
        case Stack(), Chain():
            for number, one in enumerate(block.blocks * block.repeat):
                inner, where, below = module.blocks[number], f"{place}.{number}", f"{path}.blocks.{number}"
                if isinstance(inner, Skipped):
                    yield _part(f"{where}.skip", (*kinds, "gate"), {}, f"{below}.past.", named, shapes)
                    inner, below = inner.block, f"{below}.block"
                yield from _parts(one, inner, where, below, kinds, named, shapes)
        case Connect(), Branches():
            own = {name: shape for name, shape in shapes.items() if not name.startswith(f"{path}.branches.")}
            yield _part(f"{place}.merge", (*kinds, block.merge), {}, f"{path}.", named, own)
            for number, one in enumerate(block.branches):
                yield from _parts(one, module.branches[number], f"{place}.{number}", f"{path}.branches.{number}", kinds, named, shapes)
        case Autoencoder(), AutoencoderModule():
            within = (f"{path}.encoder.", f"{path}.decoder.")
            own = {name: shape for name, shape in shapes.items() if not name.startswith(within)}
            yield _part(place, kinds, {}, f"{path}.", named, own)
            yield from _parts(block.encoder, module.encoder, f"{place}.encoder", f"{path}.encoder", kinds, named, shapes)
            yield from _parts(block.decoder, module.decoder, f"{place}.decoder", f"{path}.decoder", kinds, named, shapes)
        case _:
            yield _part(place, kinds, block.model_dump(mode="json", exclude=set(_NO_OPTIONS)), f"{path}.", named, shapes)


def _part(
    place: str,
    kinds: tuple[str, ...],
    options: Mapping[str, Any],
    prefix: str,
    named: tuple[str, str],
    shapes: Mapping[str, tuple[int, ...]],
) -> Part:
    name, root = named
    names = {weight.removeprefix(prefix).replace(WRAPPED, ""): weight for weight in shapes if weight.startswith(prefix)}
    own = {weight: shapes[whole] for weight, whole in names.items()}
    return Part(place, f"{name}{place.removeprefix(root)}", bool(name), kinds, options, names, own)
