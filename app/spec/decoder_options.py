"""Which decoders do not go with the rest of a document?"""

from __future__ import annotations

from collections.abc import Iterator

from app.spec.blocks import Autoencoder, Block, parts
from app.spec.decoders import RecursiveDecoder, SegmentsDecoder
from app.spec.forecaster import ForecasterSpec, PointHead, QuantilesHead
from app.spec.leaves import Attention, Smooth

Option = tuple[str, str, str]
"""The option's key, a code, and a sentence."""


def decoder_faults(spec: ForecasterSpec) -> Iterator[Option]:
    """What is wrong with a document's decoder; places are within the document."""
    match spec.decoder:
        case RecursiveDecoder():
            yield from _recursive_faults(spec)
        case SegmentsDecoder(width=width) if spec.horizon is not None and width > spec.horizon:
            sentence = f"a segment of {width} steps is longer than the horizon of {spec.horizon}; make it at most as long"
            yield "decoder/width", "inert", sentence
        case _:
            return


def _recursive_faults(spec: ForecasterSpec) -> Iterator[Option]:
    for place, kind in _stateless(spec.network, "network"):
        sentence = f"the decoder 'recursive' goes on one step at a time, and {kind!r} has no state to go on from"
        yield f"{place}/kind", "no_state", f"{sentence}; use the decoder 'forking', or a recurrent block"
    for name, group in spec.inputs.items():
        past = [column for column in group.columns if column != "y"]
        if group.known == "past" and past:
            sentence = (
                f"the decoder 'recursive' steps through the horizon, where {', '.join(past)} would have to be known; mark the input "
                "'known': 'future', or use the decoder 'direct'"
            )
            yield f"inputs/{name}/known", "not_known", sentence
    if not any("y" in group.columns for group in spec.inputs.values()):
        sentence = "the decoder 'recursive' is fed with its own samples of 'y', which no input has; add it, or use the decoder 'direct'"
        yield "decoder", "not_fed", sentence
    head = spec.head
    if isinstance(head, PointHead) or (isinstance(head, QuantilesHead) and len(head.levels) == 1):
        what = "one number" if isinstance(head, PointHead) else "one level"
        sentence = (
            f"the decoder 'recursive' is fed with samples, and a head of {what} has no distribution to draw them from; use 'normal' or "
            "'student_t', several levels, or the decoder 'direct'"
        )
        yield "head", "no_distribution", sentence


def _stateless(block: Block, place: str) -> Iterator[tuple[str, str]]:
    """Places and kinds of the blocks that cannot go on one step at a time; what rebuilds an autoencoder's sequence runs in no forecast."""
    if isinstance(block, Attention | Smooth):
        yield place, block.kind
    for part, one in parts(block):
        if not (isinstance(block, Autoencoder) and part == "decoder"):
            yield from _stateless(one, f"{place}/{part}")
