"""What is in the diagram of a document? Boxes, the frames around them, and the arrows between them; where they stand is in `layout.py`.

Group (down) ─┬─ Group (beside): the inputs
              ├─ Box "side by side", where blocks read all inputs at once
              ├─ the network: a Box, a Group (down) of a stack, or a framed Group of a connection's branches and their merge
              └─ Box decoder, Box head
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from app.spec.blocks import Autoencoder, Block, Connect, Stack
from app.spec.cells import Description
from app.spec.compile import CompiledSpec
from app.spec.forecaster import ForecasterSpec
from app.spec.inputs import Input
from app.spec.layout import Arrow, Box, Group
from app.spec.shapes import gate_parameters, head_width, input_width, merged_width, skipped_width
from app.spec.walk import BlockShape

DRAWN_OTHERWISE = frozenset({"kind", "name", "source", "blocks", "branches", "encoder", "code", "decoder"})
"""Fields that the picture itself shows."""

SKIPS = {"residual": "add", "dense": "concat"}
"""What joins a block's output and what it read, where the word for the skip is another."""


@dataclass(frozen=True)
class Figure:
    """What is drawn.

    Attributes:
        root: all boxes, nested as they are framed.
        arrows: from what is read to what reads it, in the order of the readers.
    """

    root: Group
    arrows: tuple[Arrow, ...]


@dataclass
class _Walk:
    """A document being followed; blocks that a stack repeats are met again, and are the same boxes."""

    rows: dict[tuple[str, str], deque[BlockShape]]
    boxes: dict[tuple[str, str], Box] = field(default_factory=dict)
    known: dict[str, Box] = field(default_factory=dict)
    arrows: dict[tuple[Box, Box], Arrow] = field(default_factory=dict)
    reruns: int = 0

    def box(self, role: str, pointer: str, title: str, options: Iterable[str] = ()) -> Box:
        found = self.boxes.get((pointer, role))
        if found is None:
            found = self.boxes[pointer, role] = Box(role, pointer, title, tuple(options))
        return found

    def arrow(self, source: Box, target: Box, kind: str, lane: Group | None = None) -> None:
        # What the last of repeated blocks gives is read again by the first: the frame's label says so, and no arrow does.
        if not self.reruns:
            self.arrows.setdefault((source, target), Arrow(source, target, kind, lane))

    def count(self, box: Box, pointer: str, kind: str) -> int:
        """Adds what one run of a box counts, where it counts anything; the width of that run, or 0."""
        rows = self.rows.get((pointer, kind))
        if not rows:
            return 0
        row = rows.popleft()
        box.counts.append(row.parameters)
        return row.width


def figure(compiled: CompiledSpec) -> Figure:
    """The boxes and arrows of a description."""
    spec = compiled.spec
    base = compiled.blocks[-1].pointer.removesuffix("/decoder")
    rows: dict[tuple[str, str], deque[BlockShape]] = defaultdict(deque)
    for row in compiled.blocks:
        rows[row.pointer, row.kind].append(row)
    walk = _Walk(rows)
    inputs = [_input(walk, name, group, f"{base}/inputs/{name}") for name, group in spec.inputs.items()]
    everything = _everything(walk, inputs, base)
    result, network = _follow(walk, spec.network, everything, "flow", f"{base}/network")
    is_joined = any(source is everything for source, _ in walk.arrows)
    joined = [everything] if is_joined and len(inputs) > 1 else []
    if joined:
        for box in inputs:
            walk.arrow(box, everything, "merge")
    root = Group([Group([*inputs], is_beside=True), *joined, network, *_ends(walk, spec, result, base)])
    return Figure(root, tuple(walk.arrows.values()))


def _input(walk: _Walk, name: str, group: Input, pointer: str) -> Box:
    known = [] if group.known == "past" else [f"known {group.known}"]
    if group.known == "future" or (group.features and not group.columns):
        known = ["known ahead"]
    elif group.features:
        known = [*known, "calendar known ahead"]
    features = [f"features {', '.join(group.features)}"] if group.features else []
    options = [
        *([", ".join(group.columns)] if group.columns else []),
        *features,
        *_options(group, {"columns", "features", "known", "categories"}),
        *known,
    ]
    box = walk.known[name] = walk.box("input", pointer, name, options)
    box.widths.append(input_width(group))
    walk.count(box, pointer, "embedding")
    return box


def _everything(walk: _Walk, inputs: list[Box], base: str) -> Box:
    """All inputs side by side, which is the only one where there is one."""
    if len(inputs) == 1:
        return inputs[0]
    box = walk.box("merge", f"{base}/inputs", "side by side")
    box.widths.append(sum(one.widths[-1] for one in inputs))
    return box


def _ends(walk: _Walk, spec: ForecasterSpec, result: Box, base: str) -> tuple[Box, Box]:
    ahead = [name for name, group in spec.inputs.items() if group.known == "future" or group.features or group.age]
    knows = [f"knows ahead {', '.join(ahead)}"] if ahead else []
    counted = ["counted with 1 step"] if spec.horizon is None else []
    decoder = walk.box("end", f"{base}/decoder", f"{spec.decoder.kind} decoder", [*_options(spec.decoder), *knows, *counted])
    walk.count(decoder, f"{base}/decoder", spec.decoder.kind)
    decoder.gives = "-> the job's horizon" if spec.horizon is None else f"-> {spec.horizon:,} step{'s' * (spec.horizon > 1)}"
    head = walk.box("end", f"{base}/head", f"{spec.head.kind} head", _options(spec.head))
    head.gives = f"-> {head_width(spec.head):,} a step"
    walk.arrow(result, decoder, "flow")
    walk.arrow(decoder, head, "flow")
    return decoder, head


def _follow(walk: _Walk, block: Block, reads: Box, kind: str, pointer: str) -> tuple[Box, Box | Group]:
    """What gives a block's output, and all that is drawn of it."""
    if block.source is not None:
        reads, kind = walk.known[block.source], "tap"
    drawn: Box | Group
    match block:
        case Stack():
            result, drawn = _follow_stack(walk, block, reads, kind, pointer)
        case Connect():
            result, drawn = _follow_connect(walk, block, reads, kind, pointer)
        case Autoencoder():
            result, drawn = _follow_autoencoder(walk, block, reads, kind, pointer)
        case _:
            result = drawn = walk.box("block", pointer, _titled(block.kind, block.name), _options(block))
            result.widths.append(walk.count(result, pointer, block.kind))
            walk.arrow(reads, result, kind)
    if block.name:
        walk.known[block.name] = result
    return result, drawn


def _follow_stack(walk: _Walk, block: Stack, reads: Box, kind: str, pointer: str) -> tuple[Box, Group]:
    options = _options(block)
    is_framed = bool(options or block.name)
    group = Group([], labels=(_titled(block.kind, block.name), *options) if is_framed else (), has_lane=block.skip != "none")
    for run in range(block.repeat):
        walk.reruns += run > 0
        for number, inside in enumerate(block.blocks):
            where = f"{pointer}/blocks/{number}"
            read = (reads, reads.widths[-1])
            result, drawn = _follow(walk, inside, reads, kind, where)
            items: list[Box | Group] = [drawn]
            if block.skip != "none":
                result = _skip(walk, block, read, result, where, group, kind)
                items.append(result)
            if run == 0:
                group.items.extend(items)
            reads, kind = result, "flow"
        walk.reruns -= run > 0
    return reads, group


def _skip(walk: _Walk, block: Stack, read: tuple[Box, int], given: Box, where: str, lane: Group, kind: str) -> Box:
    """What joins a block's output and what the block read."""
    reads, read_width = read
    box = walk.box("skip", where, SKIPS.get(block.skip, block.skip))
    if gate_parameters(given.widths[-1], block.skip):
        walk.count(box, where, block.skip)
    box.widths.append(skipped_width(block, read_width, given.widths[-1]))
    walk.arrow(given, box, "merge")
    walk.arrow(reads, box, "tap" if kind == "tap" else "skip", lane)
    return box


def _follow_connect(walk: _Walk, block: Connect, reads: Box, kind: str, pointer: str) -> tuple[Box, Group]:
    branches = [_follow(walk, inside, reads, kind, f"{pointer}/branches/{number}") for number, inside in enumerate(block.branches)]
    merge = walk.box("merge", pointer, block.merge)
    walk.count(merge, pointer, block.merge)
    merge.widths.append(merged_width(block, [result.widths[-1] for result, _ in branches]))
    for result, _ in branches:
        walk.arrow(result, merge, "merge")
    beside = Group([drawn for _, drawn in branches], is_beside=True)
    labels = (_titled(block.kind, block.name), *_options(block, {"merge"}))
    return merge, Group([beside, merge], labels=labels)


def _follow_autoencoder(walk: _Walk, block: Autoencoder, reads: Box, kind: str, pointer: str) -> tuple[Box, Group]:
    encoded, encoder = _follow(walk, block.encoder, reads, kind, f"{pointer}/encoder")
    code = walk.box("block", f"{pointer}/code", "code")
    code.widths.append(walk.count(code, f"{pointer}/code", "code"))
    walk.arrow(encoded, code, "flow")
    decoded, decoder = _follow(walk, block.decoder, code, "flow", f"{pointer}/decoder")
    rebuilt = walk.box("block", pointer, "rebuilt", ["in the phase 'reconstruct'"])
    rebuilt.widths.append(walk.count(rebuilt, pointer, "rebuilt"))
    walk.arrow(decoded, rebuilt, "flow")
    # Beside each other, so that what the code goes on to is met on the way down from it.
    halves = Group([Group([encoder, code]), Group([decoder, rebuilt])], is_beside=True)
    return code, Group([halves], labels=(_titled(block.kind, block.name),))


def _titled(kind: str, name: str | None) -> str:
    return f"{kind} · {name}" if name else kind


def _options(model: Description, drawn: Iterable[str] = ()) -> list[str]:
    """Its fields that are not at their default, in words."""
    skipped = DRAWN_OTHERWISE.union(drawn)
    wanted = ((key, of, getattr(model, key)) for key, of in type(model).model_fields.items() if key not in skipped)
    return [_worded(key, value) for key, of, value in wanted if value != of.get_default(call_default_factory=True, validated_data={})]


def _worded(key: str, value: object) -> str:
    words = key.replace("_", " ")
    match value:
        case True:
            return words
        case False:
            return f"not {words}"
        case _:
            return f"{words} {_plain(value)}"


def _plain(value: object) -> str:
    match value:
        case int():
            return f"{value:,}"
        case float():
            return f"{value:g}"
        case tuple() | list():
            return ", ".join(_plain(one) for one in value)
        case Mapping():
            return ", ".join(f"{key} {_plain(one)}" for key, one in value.items())
        case Description():
            return " ".join([str(getattr(value, "kind", "")), *_options(value)]).strip()
        case _:
            return "none" if value is None else str(value)
