"""Can this description be built? Names and taps, widths, counts, inert keys and limits are proven here, in milliseconds and without torch.

The document is followed in order (`follow.py`). Each output is noted, and marked once something reads it: what nobody reads is found so.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.errors import Fault, SpecError
from app.spec.blocks import Block, Stack, inside, names_in, parts
from app.spec.cells import Description
from app.spec.follow import follow
from app.spec.forecaster import ForecasterSpec, learns_at_every_step
from app.spec.limits import NetworkLimits
from app.spec.options import document_faults, seasons_left
from app.spec.phases import phase_faults, top_blocks
from app.spec.reconstruction import reconstruct_warnings
from app.spec.shapes import decoder_multiply_adds, decoder_parameters, embedding_parameters, head_width, input_width
from app.spec.walk import BlockShape, Output, Walk

BYTES_PER_PARAMETER = 16
"""Weight, gradient and Adam's two moments in single precision."""


FULL_BATCH_BYTES = 256 * 1024**2
"""Memory for what a part of a full batch gives."""

FULL_BATCH_WINDOWS = 1024
"""Windows of such a part at most: more at once are no faster."""

MOST_HORIZONS = 24
"""Steps of a context at most that a decoder learns a horizon after; see `app.forecasting.columns.MOST_FORKS`."""

OUTPUT_COPIES = 4
"""Times that each number of a forecast is kept on the way to its loss."""


@dataclass(frozen=True)
class CompiledSpec:
    """A description that can be built.

    Attributes:
        spec: as it was given.
        blocks: the table of blocks, in the order they run; the decoder comes last.
        parameters: trainable numbers of the whole.
        multiply_adds: of one window.
        batch: windows whose gradients are computed at once.
        memory_bytes: what training holds at once, about.
        warnings: what is allowed and may surprise.
    """

    spec: ForecasterSpec
    blocks: tuple[BlockShape, ...]
    parameters: int
    multiply_adds: int
    batch: int
    memory_bytes: int
    warnings: tuple[str, ...]


def compile_spec(spec: ForecasterSpec, limits: NetworkLimits, *, base: str = "#") -> CompiledSpec:
    """Prove a description.

    Args:
        spec: what `parse_spec` gave; without context or horizon it is counted with 1.
        limits: what the deployment allows.
        base: JSON pointer of the document within the request's body.

    Raises:
        SpecError: it cannot be built; all faults are named.
    """
    walk = Walk(spec, limits, base, names_in(spec.network), learns_at_every_step(spec))
    for name, group in spec.inputs.items():
        given = walk.known[name] = Output(f"the input {name!r}", f"{base}/inputs/{name}", input_width(group))
        walk.part("embedding", given.pointer, [given], given.width, embedding_parameters(group), 0)
    for place, code, sentence in document_faults(spec):
        walk.fault(f"{base}/{place}", code, sentence)
    for fault in phase_faults(spec, f"{base}/training"):
        walk.fault(fault.pointer, fault.code, fault.detail)
    _check_size(walk)
    result = follow(walk, spec.network, list(walk.known.values()), f"{base}/network")
    result.is_read = True
    for output in [*walk.known.values(), *walk.outputs]:
        if not output.is_read:
            walk.fault(output.pointer, "unread", f"nobody reads {output.label}; read it with 'from', or leave it out")
            output.is_read = True
    horizon = spec.horizon or 1
    count, work = decoder_parameters(spec, result.width, horizon), decoder_multiply_adds(spec, result.width, horizon)
    walk.rows.append(BlockShape(f"{base}/decoder", spec.decoder.kind, "", (result.label,), horizon, count, work))
    parameters = sum(row.parameters for row in walk.rows)
    if parameters > limits.parameters:
        walk.fault(
            f"{base}/network", "too_large", f"the network has {parameters:,} parameters; at most {limits.parameters:,}: use fewer units"
        )
    _check_members(walk)
    if walk.faults:
        walk.refuse()
    batch = _batch_of(spec, walk.activations)
    memory = BYTES_PER_PARAMETER * parameters + 4 * batch * walk.activations
    unset = [name for name in ("context", "horizon") if getattr(spec, name) is None]
    left = (f"{name} is left to the job; counted with 1" for name in unset)
    warnings = (*left, *seasons_left(spec), *reconstruct_warnings(top_blocks(spec), spec.training))
    return CompiledSpec(spec, tuple(walk.rows), parameters, sum(row.multiply_adds for row in walk.rows), batch, memory, warnings)


def _check_members(walk: Walk) -> None:
    """Notes what is wrong with the network where members of an ensemble read shorter contexts."""
    training = walk.spec.training.model_copy(update={"contexts": None})
    for context in walk.spec.training.contexts or ():
        alone = walk.spec.model_copy(update={"context": context, "min_context": None, "training": training})
        try:
            compile_spec(alone, walk.limits, base=walk.base)
        except SpecError as error:
            found = {(fault.pointer, fault.code) for fault in walk.faults}
            for fault in error.faults:
                if (fault.pointer, fault.code) not in found:
                    sentence = f"{fault.detail}; so it is with the members that have a context of {context}"
                    walk.faults.append(Fault(fault.pointer, fault.code, sentence))


def _batch_of(spec: ForecasterSpec, activations: int) -> int:
    """Windows at once: a full batch is cut into parts that fit into memory."""
    if spec.training.batch_size != "full":
        return spec.training.batch_size
    horizons = min(spec.context or 1, MOST_HORIZONS) if learns_at_every_step(spec) else 1
    given = OUTPUT_COPIES * horizons * (spec.horizon or 1) * head_width(spec.head)
    return max(1, min(FULL_BATCH_WINDOWS, FULL_BATCH_BYTES // (4 * (activations + given))))


def _check_size(walk: Walk) -> None:
    """Refuses what is too large to be followed at all: repeated blocks count as often as they run."""
    count = _count(walk.spec.network)
    if count > walk.limits.blocks:
        walk.fault(f"{walk.base}/network", "too_large", f"the network has {count:,} blocks; at most {walk.limits.blocks:,}")
        walk.refuse()
    _check_units(walk, walk.spec.decoder, f"{walk.base}/decoder")
    waiting = [(walk.spec.network, f"{walk.base}/network")]
    while waiting:
        block, pointer = waiting.pop()
        _check_units(walk, block, pointer)
        waiting.extend((one, f"{pointer}/{part}") for part, one in parts(block))


def _check_units(walk: Walk, described: Description, pointer: str) -> None:
    units = getattr(described, "units", None) or 0
    if units > walk.limits.units:
        walk.fault(f"{pointer}/units", "too_large", f"units is {units:,}; at most {walk.limits.units:,}")


def _count(block: Block) -> int:
    """Blocks of every kind, repeated ones as often as they run."""
    repeat = block.repeat if isinstance(block, Stack) else 1
    return 1 + repeat * sum(_count(one) for one in inside(block))
