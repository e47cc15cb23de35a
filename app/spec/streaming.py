"""Which networks can go on from a carried state, one observation at a time, at a cost that does not grow with what they have seen?"""

from __future__ import annotations

from collections.abc import Iterator

from app.errors import Fault
from app.spec.blocks import Autoencoder, Block, Model, parts
from app.spec.cells import AnyCell
from app.spec.decoder_options import Option
from app.spec.decoders import RecursiveDecoder
from app.spec.forecaster import ForecasterSpec
from app.spec.leaves import Attention, Conv, InstanceNorm, Segment


def streaming_faults(spec: ForecasterSpec) -> Iterator[Fault]:
    """What keeps a forecaster from carrying its state, each at its place in the document."""
    for place, code, sentence in _faults(spec.network, "network"):
        yield Fault(f"#/{place}", code, f"{place}: {sentence}; forecast from the whole history with POST /v1/models/{{id}}/forecasts")


def _faults(block: Block, place: str) -> Iterator[Option]:
    sentence = _refusal(block)
    if sentence:
        yield place, "not_causal" if isinstance(block, AnyCell | Conv) else "no_state", f"{block.kind!r} {sentence}"
    if isinstance(block, Model) and block.network is not None:
        yield from _faults(block.network, f"{place}/network")
    for part, one in parts(block):
        if not (isinstance(block, Autoencoder) and part == "decoder"):
            yield from _faults(one, f"{place}/{part}")


def _refusal(block: Block) -> str:
    """Why a block has no state to go on from; empty where it has one."""
    match block:
        case AnyCell(direction="backward" | "both"):
            return f"reads {block.direction!r}, so that every new value changes what it gives for all before it"
        case Conv(causal=False):
            return "is not causal: it waits for values that come later"
        case Attention():
            return "looks at the whole context again for every new value"
        case InstanceNorm(by=by):
            return f"takes the level ({by!r}) out of the whole context, and a new value changes it for all before it"
        case Segment(width=width):
            return f"reads pieces of {width} steps, and a single new value is no piece"
        case _:
            return ""


def reads_next(spec: ForecasterSpec) -> bool:
    """Whether beside each observation stands what is known of the step after it, as the decoder `recursive` has it."""
    return isinstance(spec.decoder, RecursiveDecoder)
