"""Can this description be built? Names and taps, widths, counts, inert keys and limits are proven here, in milliseconds and without torch.

`walk` follows the document in order. Each output is an `Output`, marked once something reads it: what nobody reads is found so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NoReturn

from app.errors import Fault, SpecError
from app.spec.blocks import Block, Connect, Stack, inside, names_in
from app.spec.cells import AnyBlock
from app.spec.forecaster import ForecasterSpec
from app.spec.limits import NetworkLimits
from app.spec.options import document_faults, leaf_faults
from app.spec.phases import DECODER, phase_faults
from app.spec.shapes import (
    activations_of,
    decoder_parameters,
    gate_parameters,
    input_width,
    merge_parameters,
    merged_width,
    multiply_adds_of,
    parameters_of,
    skipped_width,
    width_after,
)

BYTES_PER_PARAMETER = 16
"""Weight, gradient and Adam's two moments in single precision."""


@dataclass(frozen=True)
class BlockShape:
    """One row of the table of blocks.

    Attributes:
        pointer: where it stands in the document.
        kind: its kind.
        name: what its output is called by, or empty.
        reads: where its input comes from.
        width: size of each step of its output.
        parameters: trainable numbers.
        multiply_adds: of one window.
    """

    pointer: str
    kind: str
    name: str
    reads: tuple[str, ...]
    width: int
    parameters: int
    multiply_adds: int


@dataclass(frozen=True)
class CompiledSpec:
    """A description that can be built.

    Attributes:
        spec: as it was given.
        blocks: the table of blocks, in the order they run; the decoder comes last.
        parameters: trainable numbers of the whole.
        multiply_adds: of one window.
        memory_bytes: what training holds at once, about.
        warnings: what is allowed and may surprise.
    """

    spec: ForecasterSpec
    blocks: tuple[BlockShape, ...]
    parameters: int
    multiply_adds: int
    memory_bytes: int
    warnings: tuple[str, ...]


@dataclass
class Output:
    """What a block or an input gives, while a document is followed."""

    label: str
    pointer: str
    width: int
    is_read: bool = False


@dataclass
class _Walk:
    spec: ForecasterSpec
    limits: NetworkLimits
    base: str
    context: int
    names: frozenset[str]
    known: dict[str, Output] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    rows: list[BlockShape] = field(default_factory=list)
    activations: int = 0

    def fault(self, pointer: str, code: str, detail: str) -> None:
        self.faults.append(Fault(pointer, code, f"{pointer.removeprefix('#/').replace('/', '.')}: {detail}"))

    def refuse(self) -> NoReturn:
        """End here.

        Raises:
            SpecError: what was found so far.
        """
        raise SpecError("; ".join(fault.detail for fault in self.faults[:3]), faults=tuple(self.faults))


def compile_spec(spec: ForecasterSpec, limits: NetworkLimits, *, base: str = "#") -> CompiledSpec:
    """Prove a description.

    Args:
        spec: what `parse_spec` gave; without context or horizon it is counted with 1.
        limits: what the deployment allows.
        base: JSON pointer of the document within the request's body.

    Raises:
        SpecError: it cannot be built; all faults are named.
    """
    walk = _Walk(spec, limits, base, spec.context or 1, names=names_in(spec.network))
    for name, group in spec.inputs.items():
        walk.known[name] = Output(f"the input {name!r}", f"{base}/inputs/{name}", input_width(group))
    for place, code, sentence in document_faults(spec):
        walk.fault(f"{base}/{place}", code, sentence)
    for fault in phase_faults(spec, f"{base}/training"):
        walk.fault(fault.pointer, fault.code, fault.detail)
    _check_size(walk)
    result = _follow(walk, spec.network, list(walk.known.values()), f"{base}/network", 1)
    result.is_read = True
    for output in [*walk.known.values(), *walk.outputs]:
        if not output.is_read:
            walk.fault(output.pointer, "unread", f"nobody reads {output.label}; read it with 'from', or leave it out")
            output.is_read = True
    horizon = spec.horizon or 1
    decoder = decoder_parameters(spec, result.width, horizon)
    walk.rows.append(BlockShape(f"{base}/decoder", spec.decoder.kind, "", (result.label,), horizon, decoder, decoder))
    parameters = sum(row.parameters for row in walk.rows)
    if parameters > limits.parameters:
        walk.fault(
            f"{base}/network", "too_large", f"the network has {parameters:,} parameters; at most {limits.parameters:,}: use fewer units"
        )
    if walk.faults:
        walk.refuse()
    memory = BYTES_PER_PARAMETER * parameters + 4 * spec.training.batch_size * walk.context * walk.activations
    unset = [name for name in ("context", "horizon") if getattr(spec, name) is None]
    warnings = tuple(f"{name} is left to the job; counted with 1" for name in unset)
    return CompiledSpec(spec, tuple(walk.rows), parameters, sum(row.multiply_adds for row in walk.rows), memory, warnings)


def _inside(block: Block, pointer: str) -> list[tuple[Block, str]]:
    key = "blocks" if isinstance(block, Stack) else "branches"
    return [(one, f"{pointer}/{key}/{number}") for number, one in enumerate(inside(block))]


def _check_size(walk: _Walk) -> None:
    """Refuses what is too large to be followed at all: repeated blocks count as often as they run."""
    count = _count(walk.spec.network)
    if count > walk.limits.blocks:
        walk.fault(f"{walk.base}/network", "too_large", f"the network has {count:,} blocks; at most {walk.limits.blocks:,}")
        walk.refuse()
    waiting = [(walk.spec.network, f"{walk.base}/network")]
    while waiting:
        block, pointer = waiting.pop()
        units = getattr(block, "units", 0)
        if units > walk.limits.units:
            walk.fault(f"{pointer}/units", "too_large", f"units is {units:,}; at most {walk.limits.units:,}")
        waiting.extend(_inside(block, pointer))


def _count(block: Block) -> int:
    """Blocks of every kind, repeated ones as often as they run."""
    repeat = block.repeat if isinstance(block, Stack) else 1
    return 1 + repeat * sum(_count(one) for one in inside(block))


def _follow(walk: _Walk, block: Block, incoming: list[Output], pointer: str, depth: int) -> Output:
    if depth > walk.limits.depth:
        walk.fault(pointer, "too_deep", f"blocks stand {depth} deep in each other; at most {walk.limits.depth}")
        return _output(walk, block, pointer, 1)
    source = _source(walk, block, pointer)
    reads = incoming if source is None else [source]
    match block:
        case Stack():
            result = _follow_stack(walk, block, reads, pointer, depth)
        case Connect():
            result = _follow_connect(walk, block, reads, pointer, depth)
        case _:
            width = _read(reads)
            walk.activations += activations_of(block, width)
            result = _output(walk, block, pointer, width_after(block, width))
            is_forked = walk.spec.decoder.kind == "forking"
            for place, code, detail in leaf_faults(block, width, walk.spec.context, is_forked=is_forked):
                walk.fault(f"{pointer}/{place}", code, detail)
            labels = tuple(read.label for read in reads)
            count, work = parameters_of(block, width), multiply_adds_of(block, width) * walk.context
            walk.rows.append(BlockShape(pointer, block.kind, block.name or "", labels, result.width, count, work))
    if block.name:
        if block.name == DECODER:
            walk.fault(f"{pointer}/name", "taken", f"{DECODER!r} is what phases call the decoder; choose another name")
        if block.name in walk.known:
            walk.fault(f"{pointer}/name", "taken", f"the name {block.name!r} is taken; names of inputs and blocks differ")
        walk.known[block.name] = result
    return result


def _source(walk: _Walk, block: AnyBlock, pointer: str) -> Output | None:
    if block.source is None:
        return None
    found = walk.known.get(block.source)
    if found is None and block.source in walk.names:
        rule = "'from' names an input or a block that stands earlier"
        sentence = f"{block.source!r} stands later or is this block itself, which would be a cycle; {rule}"
        walk.fault(f"{pointer}/from", "cycle", sentence)
    elif found is None:
        blocks = ", ".join(name for name in walk.known if name not in walk.spec.inputs) or "none"
        sentence = f"{block.source!r} is not an input; inputs are: {', '.join(walk.spec.inputs)}; blocks with a name before it: {blocks}"
        walk.fault(f"{pointer}/from", "unknown_source", sentence)
    # A stand-in lets the rest be checked.
    return found or Output(block.source, pointer, 1)


def _follow_stack(walk: _Walk, block: Stack, reads: list[Output], pointer: str, depth: int) -> Output:
    if block.repeat > 1 and names_in(block) - {block.name}:
        names = ", ".join(sorted(names_in(block) - {block.name or ""}))
        walk.fault(f"{pointer}/repeat", "taken", f"blocks that are repeated cannot have names, and {names} would be taken twice")
    for _ in range(block.repeat):
        for one, where in _inside(block, pointer):
            reads = [_skipped(walk, block, reads, _follow(walk, one, reads, where, depth + 1), where)]
    return reads[0]


def _skipped(walk: _Walk, block: Stack, reads: list[Output], given: Output, pointer: str) -> Output:
    """A block's output together with what it read, as the stack asks for."""
    if block.skip == "none":
        return given
    width = _read(reads)
    _read([given])
    if block.skip != "dense" and width != given.width:
        sentence = f"the stack's skip {block.skip!r} wants as many units as the block reads: it reads {width} and gives {given.width}"
        walk.fault(pointer, "unequal_widths", f"{sentence}; change its units, or use 'dense'")
    count = gate_parameters(given.width, block.skip)
    if count:
        walk.rows.append(BlockShape(pointer, "highway", "", (given.label,), given.width, count, count * walk.context))
    return _output(walk, block, pointer, skipped_width(block, width, given.width))


def _follow_connect(walk: _Walk, block: Connect, reads: list[Output], pointer: str, depth: int) -> Output:
    results = [_follow(walk, one, reads, where, depth + 1) for one, where in _inside(block, pointer)]
    _read(results)
    widths = [result.width for result in results]
    if block.merge != "concat" and len(set(widths)) > 1:
        sentence = (
            f"{block.merge!r} wants branches of one width, and they have {', '.join(map(str, widths))}; use 'concat', or a dense block to "
            "even them"
        )
        walk.fault(f"{pointer}/merge", "unequal_widths", sentence)
    result = _output(walk, block, pointer, merged_width(block, widths))
    count = merge_parameters(block, widths)
    if count:
        walk.rows.append(BlockShape(pointer, "gate", "", tuple(one.label for one in results), result.width, count, count * walk.context))
    return result


def _read(outputs: list[Output]) -> int:
    for output in outputs:
        output.is_read = True
    return sum(output.width for output in outputs)


def _output(walk: _Walk, block: Block, pointer: str, width: int) -> Output:
    output = Output(f"the block {block.name!r}" if block.name else f"the {block.kind} at {pointer}", pointer, width)
    walk.outputs.append(output)
    return output
