"""Which options of a document or a block do nothing, or cannot be together?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import get_args

from app.spec.blocks import Model, every
from app.spec.cells import AnyCell, Cell, Lstm
from app.spec.decoder_options import decoder_faults
from app.spec.decoders import RecursiveDecoder, lags_of_decoder
from app.spec.forecaster import COUNT_HEADS, LOGARITHMS, POSITIVE_HEADS, ForecasterSpec, PointHead, QuantilesHead, Scaling, StudentHead
from app.spec.inputs import Input
from app.spec.leaves import Attention, Conv, InstanceNorm, Lags, Leaf, Segment, SeriesBlock, Smooth, Whole
from app.spec.shapes import VECTOR, input_width, targets_of, width_after
from app.spec.training_options import Option, training_faults
from app.spec.walk import Output

WANT_STEPS = (AnyCell, Conv, Attention, Segment, Lags, *get_args(Whole), *get_args(SeriesBlock))
"""Blocks that make nothing of a single vector."""

BELOW_ZERO = ("standard", *LOGARITHMS)
"""Scalings that make numbers below zero of values above it."""


def document_faults(spec: ForecasterSpec) -> Iterator[Option]:
    """What is wrong with a document beside its network; places are within the document.

    A default that is written out is no wish: what has been completed can be sent again.
    """
    if spec.min_context is not None and spec.context is not None and spec.min_context > spec.context:
        sentence = f"min_context is {spec.min_context} and the context {spec.context}; make it at most as long"
        yield "min_context", "too_large", sentence
    for name, group in spec.inputs.items():
        yield from _input_faults(f"inputs/{name}", group)
        if group.scale and spec.scaling.target == "none":
            yield f"inputs/{name}/scale", "inert", "the scaling 'none' divides by 1; scale the target, or leave it out"
    head = spec.head
    if isinstance(head, PointHead) and head.delta is not None and head.loss != "huber":
        yield "head/delta", "inert", f"delta does nothing for the loss {head.loss!r}; use 'huber', or leave it out"
    yield from _scaling_faults(spec)
    levels = list(head.levels) if isinstance(head, QuantilesHead) else []
    if levels != sorted(set(levels)):
        yield "head/levels", "not_rising", f"levels must rise, and are {levels}"
    has_covariates = any(column != "y" for group in spec.inputs.values() if group.known != "static" for column in group.columns)
    if spec.scaling.covariates != Scaling().covariates and not has_covariates:
        yield "scaling/covariates", "inert", "no input has a covariate to scale; leave it out"
    yield from _falling("decoder/lags", lags_of_decoder(spec.decoder))
    yield from _baseline_faults(spec)
    yield from decoder_faults(spec)
    yield from training_faults(spec)


def _scaling_faults(spec: ForecasterSpec) -> Iterator[Option]:
    head, scaling = spec.head, spec.scaling.target
    if spec.scaling.over != Scaling().over and scaling == "none":
        yield "scaling/over", "inert", "the scaling 'none' measures nothing; scale the target, or leave it out"
    if isinstance(head, POSITIVE_HEADS) and scaling in BELOW_ZERO:
        what = "counts" if isinstance(head, COUNT_HEADS) else "values from zero on"
        sentence = f"the head {head.kind!r} is of {what}, which {scaling!r} makes numbers below zero of; use 'mean_abs' or 'none'"
        yield "scaling/target", "not_for_counts", sentence
    if isinstance(head, StudentHead) and spec.scaling.is_log:
        sentence = "the exponential of a value of 'student_t' has no finite mean, so that there is none to forecast"
        yield "scaling/target", "no_mean", f"{sentence}; use the head 'normal', 'mixture' or 'quantiles', or another scaling"


def seasons_left(spec: ForecasterSpec) -> Iterator[str]:
    """What takes its season from the data, in words."""
    for name, group in spec.inputs.items():
        if group.lags == "season":
            yield f"inputs.{name}.lags are left to the data; counted as one"
    if not isinstance(spec.decoder, RecursiveDecoder) and spec.decoder.lags == "season":
        yield "decoder.lags are left to the data; counted as one"
    if spec.scaling.baseline == "season" and spec.scaling.season is None:
        yield "scaling.season is left to the data"
    if any(isinstance(block, AnyCell) and block.dilation == "season" for block in every(spec.network)):
        yield "a dilation is left to the data; counted with 1"


def _baseline_faults(spec: ForecasterSpec) -> Iterator[Option]:
    scaling, head = spec.scaling, spec.head
    if scaling.season is not None and scaling.baseline != "season":
        yield "scaling/season", "inert", f"a season does nothing for the baseline {scaling.baseline!r}; use 'season', or leave it out"
    if scaling.baseline == "none":
        return
    if isinstance(head, POSITIVE_HEADS):
        sentence = f"counted from a baseline, targets are below zero too, which the head {head.kind!r} is not of"
        yield "scaling/baseline", "not_for_counts", f"{sentence}; use 'quantiles', or leave the baseline out"
    if isinstance(spec.decoder, RecursiveDecoder):
        sentence = "the decoder 'recursive' is fed with values, and counted from a baseline it gives differences"
        yield "scaling/baseline", "not_fed", f"{sentence}; give an input 'lags', or use the decoder 'forking'"
    if any(isinstance(block, get_args(SeriesBlock)) for block in every(spec.network)):
        sentence = "a block of the network takes the target apart already, and what it takes is put back"
        yield "scaling/baseline", "taken", f"{sentence}; leave the baseline out, or the block"


def _falling(place: str, lags: Sequence[int]) -> Iterator[Option]:
    if list(lags) != sorted(set(lags)):
        yield place, "not_rising", f"lags rise, and these are {list(lags)}"


def _input_faults(place: str, group: Input) -> Iterator[Option]:
    if input_width(group) == 0:
        yield place, "empty", "an input needs columns, lags, features, age or scale"
    yield from _falling(f"{place}/lags", group.lag_steps)
    if group.known == "future" and "y" in group.columns:
        yield f"{place}/known", "not_known", "'y' is the target and is known up to the cutoff only; put it in an input of its own"
    if group.known == "static":
        yield from _static_faults(place, group)
    elif group.embed is not None or group.categories is not None:
        key = "embed" if group.embed is not None else "categories"
        yield f"{place}/{key}", "inert", f"{key} is of columns that are known 'static'; leave it out, or say so"
    if group.known == "future" and not group.columns:
        yield f"{place}/known", "inert", "calendar features are always known over the horizon; leave 'known' out"


def _static_faults(place: str, group: Input) -> Iterator[Option]:
    if group.embed is None:
        yield f"{place}/embed", "missing", "static columns are words; say with 'embed' how many numbers stand for each, such as 4"
    if "y" in group.columns:
        yield f"{place}/known", "not_known", "'y' is the target and changes at every step; put it in an input of its own"
    for key, what in (("features", "calendar features"), ("lags", "lags"), ("age", "the age"), ("scale", "a window's scale")):
        if getattr(group, key):
            yield f"{place}/{key}", "not_static", f"{what} change at every step; put them in an input of their own"
    for name in group.categories or {}:
        if name not in group.columns:
            yield f"{place}/categories/{name}", "inert", f"{name!r} is not one of the input's columns; leave it out"


def is_causal(block: Leaf) -> bool:
    """Whether no output of a block depends on later input."""
    match block:
        case Conv(causal=causal):
            return causal
        case AnyCell(direction=direction):
            return direction == "forward"
        case _:
            return True


def leaf_faults(block: Leaf, read: Output, context: int | None, *, is_forked: bool = False) -> Iterator[Option]:
    """What is wrong with the options of a block without blocks in it.

    Args:
        block: the block.
        read: its input.
        context: steps that it sees, where they are known.
        is_forked: whether the decoder learns at every step.
    """
    yield from _place_faults(block, read, is_forked=is_forked)
    match block:
        case AnyCell():
            yield from _cell_faults(block, read.width, context)
        case Conv():
            yield from _conv_faults(block, context)
        case Segment():
            yield from _segment_faults(block, context, is_forked=is_forked)
        case Lags():
            yield from _lag_faults(block, context)
        case Attention(units=units, heads=heads) if units % heads:
            yield "heads", "not_divisible", f"{units} units cannot be cut into {heads} equal heads; choose a divisor"
        case _:
            pass


def _place_faults(block: Leaf, read: Output, *, is_forked: bool) -> Iterator[Option]:
    """What a block cannot read, or cannot be where every step learns."""
    if read.pace == VECTOR and isinstance(block, WANT_STEPS):
        sentence = (
            f"{block.kind!r} wants a sequence, and {read.label} gives one vector for the whole context; let that hand on its sequence (a "
            "recurrent layer does without 'output': 'last'), and make the vector behind the last block that wants one"
        )
        yield "kind", "wants_sequence", sentence
    if is_forked and not is_causal(block):
        place = "direction" if isinstance(block, AnyCell) else "causal"
        yield (
            place,
            "not_causal",
            "the decoder learns at every step of the context, and this block sees ahead; use 'direct', or read forward",
        )
    if is_forked and isinstance(block, InstanceNorm):
        sentence = "the decoder learns at every step of the context, and this block's level is that of the whole; use the decoder"
        yield "kind", "not_causal", f"{sentence} 'direct', or 'smooth', whose level is that of each step"


def _conv_faults(block: Conv, context: int | None) -> Iterator[Option]:
    if context is not None and block.dilation > 1 and block.dilation >= context:
        yield "dilation", "inert", f"a dilation of {block.dilation} reaches over all {context} steps of the context; make it smaller"
    if block.width == 1 and block.dilation > 1:
        yield "dilation", "inert", "a width of 1 has nothing to dilate; leave dilation out"


def series_faults(spec: ForecasterSpec, block: SeriesBlock, met_before: int) -> Iterator[Option]:
    """What is wrong with a block that takes the target apart.

    Args:
        spec: the document.
        block: the block.
        met_before: how many others stand before it.
    """
    if met_before:
        yield "kind", "taken", "the target is taken apart once, and another block does so before this one; leave one of them out"
    if block.source not in targets_of(spec.inputs):
        rule = "it reads an input with the target in it, by its name"
        yield "from", "wants_target", f"{block.kind!r} takes the target apart: {rule}; say 'from' with the name of an input that has 'y'"
    elif isinstance(block, Smooth) and spec.inputs[block.source or ""] != Input(columns=("y",)):
        sentence = f"'smooth' follows the target alone, and the input {block.source!r} has more"
        yield "from", "wants_target", f"{sentence}; give it an input with the single column 'y'"
    if isinstance(spec.head, POSITIVE_HEADS):
        given, wanted = ("no count", "counts") if isinstance(spec.head, COUNT_HEADS) else ("below zero too", "values from zero on")
        sentence = f"{block.kind!r} gives the head what is {given}, and the head {spec.head.kind!r} is of {wanted}"
        yield "kind", "not_for_counts", f"{sentence}; use 'quantiles', or leave the block out"
    if isinstance(block, Smooth):
        yield from _smooth_faults(spec, block)


def _smooth_faults(spec: ForecasterSpec, block: Smooth) -> Iterator[Option]:
    if block.form == "multiplicative" and spec.scaling.target in BELOW_ZERO:
        sentence = f"'multiplicative' wants values above zero, and the scaling {spec.scaling.target!r} makes some below"
        yield "form", "not_positive", f"{sentence}; use 'additive', or the scaling 'mean_abs'"
    seasons = list(block.seasons or ())
    if seasons != sorted(set(seasons)):
        yield "seasons", "not_rising", f"two seasons rise, and these are {seasons}"


def model_faults(spec: ForecasterSpec, block: Model) -> Iterator[Option]:
    """What is wrong with a stored model as a block of this document."""
    if block.source is not None:
        yield "from", "inert", "a model reads its inputs by their names; say with 'reads' what stands for them, and leave 'from' out"
    for name in block.reads:
        if name not in (block.inputs or {}):
            yield f"reads/{name}", "inert", f"the model has no input {name!r}; its inputs are: {', '.join(block.inputs or {})}"
    static = [name for name, group in (block.inputs or {}).items() if group.known == "static"]
    if static:
        yield "model", "static", f"its input {static[0]!r} is of words, which it knows by numbers of its own; choose a model without"
    if block.network is not None and any(isinstance(one, SeriesBlock) for one in every(block.network)):
        yield (
            "model",
            "taken_apart",
            "it takes the target apart, which is put together behind its own decoder alone; choose a model without",
        )
    if block.target not in {None, spec.scaling.target}:
        sentence = f"the model's target is scaled by {block.target!r}, and this document's by {spec.scaling.target!r}"
        yield "model", "unequal_scaling", f"{sentence}; set scaling.target to {block.target!r}"
    if block.over not in {None, spec.scaling.over}:
        sentence = f"the model's target is measured over the {block.over!r}, and this document's over the {spec.scaling.over!r}"
        yield "model", "unequal_scaling", f"{sentence}; set scaling.over to {block.over!r}"


def _segment_faults(block: Segment, context: int | None, *, is_forked: bool) -> Iterator[Option]:
    if is_forked:
        sentence = "the decoder learns at every step of the context, and 'segment' gives none between its pieces"
        yield "kind", "not_every_step", f"{sentence}; use the decoder 'direct', or leave it out"
    if context is not None and context % block.width:
        whole = context - context % block.width
        ways = f"a context of {whole or block.width} or {whole + block.width}" if whole else f"a context of {block.width}"
        yield "width", "not_divisible", f"{context} steps cannot be cut into pieces of {block.width}; use {ways}, or another width"


def _lag_faults(block: Lags, context: int | None) -> Iterator[Option]:
    if list(block.steps) != sorted(set(block.steps)):
        yield "steps", "not_rising", f"steps must rise, and are {list(block.steps)}"
    elif context is not None and block.steps[-1] >= context:
        sentence = f"a lag of {block.steps[-1]} reaches over all {context} steps of the context; make it smaller, or the context longer"
        yield "steps", "inert", sentence


def _cell_faults(block: Cell, width: int, context: int | None) -> Iterator[Option]:
    given = width_after(block, width)
    if block.residual != "none" and width != given:
        sentence = f"{block.residual!r} wants a block that gives as much as it reads: it reads {width} and gives {given}"
        yield "residual", "unequal_widths", f"{sentence}; change units, or put a dense block before it"
    if context is not None and block.steps_apart >= max(context, 2):
        sentence = (
            f"a dilation of {block.steps_apart} never meets an earlier state within the {context} steps of the context; make it smaller"
        )
        yield "dilation", "inert", sentence
    if isinstance(block, Lstm) and block.projection is not None and block.projection >= block.units:
        yield "projection", "inert", f"a projection of {block.projection} is not narrower than the {block.units} units; leave it out"
