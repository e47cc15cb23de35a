"""Can this description be built? Names and taps, widths, counts, inert keys and limits are proven here, in milliseconds and without torch.

`walk` follows the document in order. Each output is an `Output`, marked once something reads it: what nobody reads is found so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from app.errors import Fault, SpecError
from app.spec.blocks import AnyBlock, Block, Connect, Stack
from app.spec.forecaster import ForecasterSpec, PointHead, Scaling
from app.spec.limits import NetworkLimits
from app.spec.phases import DECODER, phase_faults
from app.spec.shapes import activations_of, decoder_parameters, input_width, multiply_adds_of, parameters_of, width_after
from app.spec.training import Training

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
    known: dict[str, Output] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    faults: list[Fault] = field(default_factory=list)
    rows: list[BlockShape] = field(default_factory=list)
    activations: int = 0

    def fault(self, pointer: str, code: str, detail: str) -> None:
        self.faults.append(Fault(pointer, code, f"{pointer.removeprefix('#/').replace('/', '.')}: {detail}"))


def compile_spec(spec: ForecasterSpec, limits: NetworkLimits, *, base: str = "#") -> CompiledSpec:
    """Prove a description.

    Args:
        spec: what `parse_spec` gave; without context or horizon it is counted with 1.
        limits: what the deployment allows.
        base: JSON pointer of the document within the request's body.

    Raises:
        SpecError: it cannot be built; all faults are named.
    """
    walk = _Walk(spec, limits, base, spec.context or 1, names={name for _, name in _named(spec.network, f"{base}/network")})
    _check_inputs(walk)
    _check_inert(walk)
    _check_size(walk)
    for fault in phase_faults(spec, f"{base}/training"):
        walk.fault(fault.pointer, fault.code, fault.detail)
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
        raise SpecError("; ".join(fault.detail for fault in walk.faults[:3]), faults=tuple(walk.faults))
    memory = BYTES_PER_PARAMETER * parameters + 4 * spec.training.batch_size * walk.context * walk.activations
    unset = [name for name in ("context", "horizon") if getattr(spec, name) is None]
    warnings = tuple(f"{name} is left to the job; counted with 1" for name in unset)
    return CompiledSpec(spec, tuple(walk.rows), parameters, sum(row.multiply_adds for row in walk.rows), memory, warnings)


def _named(block: Block, pointer: str) -> Iterator[tuple[str, str]]:
    for inside, where in _inside(block, pointer):
        yield from _named(inside, where)
    if block.name:
        yield pointer, block.name


def _inside(block: Block, pointer: str) -> list[tuple[Block, str]]:
    match block:
        case Stack(blocks=blocks):
            return [(inside, f"{pointer}/blocks/{n}") for n, inside in enumerate(blocks)]
        case Connect(branches=branches):
            return [(inside, f"{pointer}/branches/{n}") for n, inside in enumerate(branches)]
        case _:
            return []


def _check_inputs(walk: _Walk) -> None:
    for name, group in walk.spec.inputs.items():
        pointer = f"{walk.base}/inputs/{name}"
        width = input_width(group)
        if width == 0:
            walk.fault(pointer, "empty", "an input needs columns or features")
        if group.known == "future" and "y" in group.columns:
            walk.fault(
                f"{pointer}/known", "not_known", "'y' is the target and is known up to the cutoff only; put it in an input of its own"
            )
        if group.known == "future" and not group.columns:
            walk.fault(f"{pointer}/known", "inert", "calendar features are always known over the horizon; leave 'known' out")
        walk.known[name] = Output(f"the input {name!r}", pointer, width)


def _check_inert(walk: _Walk) -> None:
    spec, training = walk.spec, walk.spec.training
    head = spec.head
    if isinstance(head, PointHead) and head.delta is not None and head.loss != "huber":
        walk.fault(f"{walk.base}/head/delta", "inert", f"delta does nothing for the loss {head.loss!r}; use 'huber', or leave it out")
    has_covariates = any(column != "y" for group in spec.inputs.values() for column in group.columns)
    # A default that is written out is no wish: what `validate` gives back can be sent again.
    if spec.scaling.covariates != Scaling().covariates and not has_covariates:
        walk.fault(f"{walk.base}/scaling/covariates", "inert", "no input has a covariate to scale; leave it out")
    if training.weight_decay != Training().weight_decay and training.optimizer == "adam":
        walk.fault(f"{walk.base}/training/weight_decay", "inert", "weight_decay belongs to the optimizer 'adamw'")
    if training.patience not in {None, Training().patience} and training.patience >= training.epochs:
        sentence = f"a patience of {training.patience} never ends a training of {training.epochs} epochs; make it smaller, or null"
        walk.fault(f"{walk.base}/training/patience", "inert", sentence)
    levels = getattr(head, "levels", ())
    if list(levels) != sorted(set(levels)):
        walk.fault(f"{walk.base}/head/levels", "not_rising", f"levels must rise, and are {list(levels)}")


def _check_size(walk: _Walk) -> None:
    count, waiting = 0, [(walk.spec.network, f"{walk.base}/network")]
    while waiting:
        block, pointer = waiting.pop()
        count += 1
        units = getattr(block, "units", 0)
        if units > walk.limits.units:
            walk.fault(f"{pointer}/units", "too_large", f"units is {units:,}; at most {walk.limits.units:,}")
        waiting.extend(_inside(block, pointer))
    if count > walk.limits.blocks:
        walk.fault(f"{walk.base}/network", "too_large", f"the network has {count:,} blocks; at most {walk.limits.blocks:,}")


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
    result: Output | None = None
    for inside, where in _inside(block, pointer):
        result = _follow(walk, inside, reads, where, depth + 1)
        reads = [result]
    return reads[0] if result is None else result


def _follow_connect(walk: _Walk, block: Connect, reads: list[Output], pointer: str, depth: int) -> Output:
    results = [_follow(walk, inside, reads, where, depth + 1) for inside, where in _inside(block, pointer)]
    _read(results)
    widths = [result.width for result in results]
    if block.merge == "sum" and len(set(widths)) > 1:
        sentence = (
            f"'sum' wants branches of one width, and they have {', '.join(map(str, widths))}; use 'concat', or a dense block to even them"
        )
        walk.fault(f"{pointer}/merge", "unequal_widths", sentence)
    return _output(walk, block, pointer, widths[0] if block.merge == "sum" else sum(widths))


def _read(outputs: list[Output]) -> int:
    for output in outputs:
        output.is_read = True
    return sum(output.width for output in outputs)


def _output(walk: _Walk, block: Block, pointer: str, width: int) -> Output:
    output = Output(f"the block {block.name!r}" if block.name else f"the {block.kind} at {pointer}", pointer, width)
    walk.outputs.append(output)
    return output
