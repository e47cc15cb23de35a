"""What does a document build, block by block? Followed in the order in which blocks run; what is wrong is noted in the walk."""

from __future__ import annotations

from dataclasses import replace

from app.spec.blocks import Autoencoder, Block, Connect, Model, Share, Stack, inside, names_in, parts, sources_in
from app.spec.cells import AnyBlock
from app.spec.forecaster import ForecasterSpec
from app.spec.leaves import Leaf, SeriesBlock
from app.spec.options import leaf_faults, model_faults, series_faults
from app.spec.phases import DECODER
from app.spec.shapes import (
    VECTOR,
    activations_of,
    affine_parameters,
    gate_parameters,
    input_width,
    merge_parameters,
    merged_width,
    multiply_adds_of,
    pace_after,
    parameters_of,
    skipped_width,
    width_after,
)
from app.spec.walk import Output, Shared, Walk


def follow(walk: Walk, block: Block, incoming: list[Output], pointer: str, depth: int = 1) -> Output:
    """What a block gives.

    Args:
        walk: where it is noted.
        block: the block.
        incoming: what it reads where it has no `from`.
        pointer: where it stands.
        depth: how deep.
    """
    if depth > walk.limits.depth:
        walk.fault(pointer, "too_deep", f"blocks stand {depth} deep in each other; at most {walk.limits.depth}")
        return walk.output(block, pointer, 1)
    reads = _read_by(walk, block, incoming, pointer)
    first_row = len(walk.rows)
    match block:
        case Stack():
            result = _follow_stack(walk, block, reads, pointer, depth)
        case Connect():
            result = _follow_connect(walk, block, reads, pointer, depth)
        case Autoencoder():
            result = _follow_autoencoder(walk, block, reads, pointer, depth)
        case Share():
            result = _follow_share(walk, block, reads, pointer)
        case Model():
            result = _follow_model(walk, block, pointer)
        case _:
            result = _follow_leaf(walk, block, reads, pointer)
    if block.name:
        _name(walk, block, result, pointer)
        work = sum(row.multiply_adds for row in walk.rows[first_row:])
        walk.blocks[block.name] = Shared(block, sum(read.width for read in reads), reads[0].pace, result, work)
    return result


def _name(walk: Walk, block: Block, result: Output, pointer: str) -> None:
    name = block.name or ""
    if name == DECODER:
        walk.fault(f"{pointer}/name", "taken", f"{DECODER!r} is what phases call the decoder; choose another name")
    if name in walk.known:
        walk.fault(f"{pointer}/name", "taken", f"the name {name!r} is taken; names of inputs and blocks differ")
    walk.known[name] = result


def _read_by(walk: Walk, block: AnyBlock, incoming: list[Output], pointer: str) -> list[Output]:
    if block.source is None:
        return incoming
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
    return [found or Output(block.source, pointer, 1)]


def _follow_leaf(walk: Walk, block: Leaf, reads: list[Output], pointer: str) -> Output:
    read = walk.read(reads, pointer)
    context = None if walk.spec.context is None or read.pace == VECTOR else max(walk.spec.context // read.pace, 1)
    for place, code, detail in leaf_faults(block, read, context, is_forked=walk.is_forked):
        walk.fault(f"{pointer}/{place}", code, detail)
    if isinstance(block, SeriesBlock):
        for place, code, detail in series_faults(walk.spec, block, walk.series_blocks):
            walk.fault(f"{pointer}/{place}", code, detail)
        walk.series_blocks += 1
    result = walk.output(block, pointer, width_after(block, read.width), pace_after(block, read.pace))
    steps = walk.steps(read.pace)
    walk.activations += activations_of(block, read.width) * steps
    count, work = parameters_of(block, read.width), multiply_adds_of(block, read.width) * steps
    walk.row(block, pointer, reads, result.width, count, work)
    return result


def _follow_stack(walk: Walk, block: Stack, reads: list[Output], pointer: str, depth: int) -> Output:
    if block.repeat > 1 and names_in(block) - {block.name}:
        names = ", ".join(sorted(names_in(block) - {block.name or ""}))
        walk.fault(f"{pointer}/repeat", "taken", f"blocks that are repeated cannot have names, and {names} would be taken twice")
    for _ in range(block.repeat):
        for part, one in parts(block):
            where = f"{pointer}/{part}"
            reads = [_skipped(walk, block, reads, follow(walk, one, reads, where, depth + 1), where)]
    return reads[0]


def _skipped(walk: Walk, block: Stack, reads: list[Output], given: Output, pointer: str) -> Output:
    """A block's output together with what it read, as the stack asks for."""
    if block.skip == "none":
        return given
    read = walk.read(reads, pointer)
    walk.read([given, replace(read, label="what it reads")], pointer)
    if block.skip != "dense" and read.width != given.width:
        sentence = f"the stack's skip {block.skip!r} wants as many units as the block reads: it reads {read.width} and gives {given.width}"
        walk.fault(pointer, "unequal_widths", f"{sentence}; change its units, or use 'dense'")
    walk.part("highway", pointer, [given], given.width, gate_parameters(given.width, block.skip), walk.steps(given.pace))
    return walk.output(block, pointer, skipped_width(block, read.width, given.width), given.pace)


def _follow_connect(walk: Walk, block: Connect, reads: list[Output], pointer: str, depth: int) -> Output:
    results = []
    for number, (part, one) in enumerate(parts(block)):
        first_row = len(walk.rows)
        results.append(follow(walk, one, reads, f"{pointer}/{part}", depth + 1))
        if block.share_weights and number:
            walk.rows[first_row:] = [replace(row, parameters=0) for row in walk.rows[first_row:]]
    read = walk.read(results, f"{pointer}/branches")
    widths = [result.width for result in results]
    if block.share_weights:
        _check_twins(walk, block, reads, pointer)
    if block.merge != "concat" and len(set(widths)) > 1:
        sentence = (
            f"{block.merge!r} wants branches of one width, and they have {', '.join(map(str, widths))}; use 'concat', or a dense block to "
            "even them"
        )
        walk.fault(f"{pointer}/merge", "unequal_widths", sentence)
    result = walk.output(block, pointer, merged_width(block, widths), read.pace)
    walk.part(block.merge, pointer, results, result.width, merge_parameters(block, widths), walk.steps(read.pace))
    return result


def _check_twins(walk: Walk, block: Connect, reads: list[Output], pointer: str) -> None:
    """Branches with the same weights must be the same, and read as much."""
    plain = {"name": None, "source": None}
    sources = [[walk.known.get(one.source, reads[0])] if one.source else reads for one in block.branches]
    widths = [sum(read.width for read in source) for source in sources]
    for number, one in enumerate(block.branches):
        if one.model_copy(update=plain) != block.branches[0].model_copy(update=plain):
            sentence = "with 'share_weights' all branches are the same but for 'from' and 'name', and this one is not as the first"
            walk.fault(f"{pointer}/branches/{number}", "unequal_branches", f"{sentence}; make it so, or leave 'share_weights' out")
        elif widths[number] != widths[0]:
            sentence = f"branches of the same weights read equally much: the first reads {widths[0]} and this one {widths[number]}"
            walk.fault(f"{pointer}/branches/{number}", "unequal_widths", f"{sentence}; give them inputs of one width")


def _follow_share(walk: Walk, block: Share, reads: list[Output], pointer: str) -> Output:
    read = walk.read(reads, pointer)
    found = walk.blocks.get(block.of)
    if found is None:
        known = ", ".join(walk.blocks) or "none"
        sentence = f"{block.of!r} is no block with a name that stands earlier; such are: {known}"
        walk.fault(f"{pointer}/of", "unknown_block", sentence)
        return walk.output(block, pointer, read.width, read.pace)
    within = [name for one in inside(found.block) for name in (*names_in(one), *sources_in(one))]
    if within or isinstance(found.block, Share | Autoencoder):
        why = f"has names or sources in it ({', '.join(sorted(set(within)))})" if within else f"is of the kind {found.block.kind!r}"
        walk.fault(f"{pointer}/of", "not_shareable", f"{block.of!r} {why} and cannot run a second time; share a block without")
    if (read.width, read.pace) != (found.width, found.pace):
        sentence = f"{block.of!r} reads {found.width} numbers a step, and here would read {read.width}"
        if read.width == found.width:
            sentence = f"{block.of!r} reads steps of another length than it would read here"
        walk.fault(f"{pointer}/of", "unequal_widths", f"{sentence}; even them with a dense block, or with another 'from'")
    walk.row(block, pointer, reads, found.output.width, 0, found.multiply_adds)
    return walk.output(block, pointer, found.output.width, found.output.pace)


def _follow_model(walk: Walk, block: Model, pointer: str) -> Output:
    if block.network is None or block.inputs is None:
        walk.fault(f"{pointer}/model", "unknown_model", f"{block.model!r} is not known here; name a model of yours by its id or its name")
        return walk.output(block, pointer, 1)
    for place, code, detail in model_faults(walk.spec, block):
        walk.fault(f"{pointer}/{place}", code, detail)
    reads = []
    for name, group in block.inputs.items():
        source = block.reads.get(name, name)
        found = walk.known.get(source)
        if found is None or found.width != input_width(group) or found.pace != 1:
            has = "nothing before it has that name" if found is None else f"{found.label} has another shape"
            sentence = f"the model reads {name!r}, {input_width(group)} wide at every step, here from {source!r}, and {has}"
            walk.fault(f"{pointer}/reads", "unknown_source", f"{sentence}; say with 'reads' what stands for it")
        reads.append(found or Output(source, pointer, input_width(group)))
    walk.read(reads, pointer)
    own = ForecasterSpec(inputs=block.inputs, network=block.network, context=walk.spec.context, horizon=walk.spec.horizon)
    inner = Walk(own, walk.limits, pointer, names_in(block.network), walk.is_forked)
    inner.known = {name: Output(name, pointer, input_width(group)) for name, group in block.inputs.items()}
    result = follow(inner, block.network, list(inner.known.values()), pointer)
    for fault in inner.faults:
        walk.fault(f"{pointer}/model", fault.code, f"the model does not fit here: {fault.detail}")
    walk.activations += inner.activations
    count, work = sum(row.parameters for row in inner.rows), sum(row.multiply_adds for row in inner.rows)
    walk.row(block, pointer, reads, result.width, count, work)
    return walk.output(block, pointer, result.width, result.pace)


def _follow_autoencoder(walk: Walk, block: Autoencoder, reads: list[Output], pointer: str, depth: int) -> Output:
    read = walk.read(reads, pointer)
    if read.pace == VECTOR:
        sentence = f"an autoencoder rebuilds a sequence, and {read.label} gives one vector for the whole context; put it before that"
        walk.fault(pointer, "wants_sequence", sentence)
    encoded = follow(walk, block.encoder, reads, f"{pointer}/encoder", depth + 1)
    walk.read([encoded], pointer)
    code = walk.output(block, pointer, block.code, VECTOR)
    walk.part("code", f"{pointer}/code", [encoded], block.code, affine_parameters(encoded.width, block.code), walk.steps(VECTOR))
    first_row, is_forked = len(walk.rows), walk.is_forked
    walk.is_forked = False
    decoded = follow(walk, block.decoder, [replace(code, pace=read.pace)], f"{pointer}/decoder", depth + 1)
    walk.is_forked = is_forked
    walk.read([decoded], pointer)
    if decoded.pace != read.pace:
        sentence = "an autoencoder's decoder reads the code at every step and gives every step; this one gives other steps"
        walk.fault(f"{pointer}/decoder", "unequal_steps", f"{sentence}; leave out 'last', 'mean', 'segment' and the like")
    walk.part("rebuilt", pointer, [decoded], read.width, affine_parameters(decoded.width, read.width), 0)
    # It runs in the phase that learns it, and in no forecast.
    walk.rows[first_row:] = [replace(row, multiply_adds=0) for row in walk.rows[first_row:]]
    return code
