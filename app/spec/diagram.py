"""What does a description look like? A drawing of its blocks as SVG: stacks downwards, branches side by side, what each reads above it.

    Box      a piece of the drawing with its size, and how it is drawn at a place
    _leaf, _stack, _connect     one for each form of block; `_tapped` puts a source's name on top

Everything is measured first and drawn then, so that nothing overlaps; the same document gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

from app.spec.blocks import Block, Connect, Stack
from app.spec.compile import BlockShape, CompiledSpec

CHARACTER = 7.3
"""Width of a letter of 12 px, about."""

LINE, PADDING, GAP, MERGE_GAP = 16.0, 12.0, 26.0, 44.0
LONGEST = 44
"""Characters of a line; the whole of a longer one is in the box's title."""

STYLE = (
    "<style>svg{font:12px ui-monospace,Menlo,monospace;color:#1f2937}.b{fill:#f8fafc;stroke:#64748b}.f{fill:none;stroke:#cbd5e1}"
    ".i{fill:#e0f2fe;stroke:#0284c7}.m{fill:#fef3c7;stroke:#d97706}.e{stroke:#64748b;fill:none}.s{fill:#64748b;font-size:11px}"
    "text{fill:currentColor;text-anchor:middle}@media(prefers-color-scheme:dark){svg{color:#e5e7eb}.b{fill:#1e293b}.i{fill:#0c4a6e}"
    ".m{fill:#78350f}.f{stroke:#475569}.s{fill:#94a3b8}}</style>"
)
ARROW = (
    '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0L8 4L0 8z" fill="#64748b"/></marker></defs>'
)

Draw = Callable[[float, float], list[str]]


@dataclass(frozen=True)
class Box:
    """A piece of the drawing.

    Attributes:
        width: in pixels.
        height: in pixels.
        draw: its SVG, with the middle of its top at a place.
    """

    width: float
    height: float
    draw: Draw


def diagram(compiled: CompiledSpec) -> str:
    """A description as SVG.

    Args:
        compiled: what `compile_spec` gave.
    """
    spec = compiled.spec
    base = compiled.blocks[-1].pointer.removesuffix("/decoder")
    shapes = {row.pointer: row for row in compiled.blocks}
    pieces = [_inputs(compiled), _block(spec.network, f"{base}/network", shapes)]
    decoder = compiled.blocks[-1]
    pieces.append(_text_box("b", [f"decoder: {spec.decoder.kind}", _counts(decoder)]))
    pieces.append(_text_box("i", [f"head: {spec.head.kind}", f"{spec.horizon or '?'} steps"]))
    whole = _column(pieces)
    width, height = whole.width + 2 * GAP, whole.height + 2 * GAP
    drawn = "".join(whole.draw(width / 2, GAP))
    title = f"{compiled.parameters:,} parameters"
    size = f'viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" height="{height:.0f}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img"><title>{escape(title)}</title>{STYLE}{ARROW}{drawn}</svg>'


def _inputs(compiled: CompiledSpec) -> Box:
    chips = []
    for name, group in compiled.spec.inputs.items():
        ahead = " (known ahead)" if group.known == "future" else ""
        chips.append(_text_box("i", [name, f"{', '.join((*group.columns, *group.features))}{ahead}"]))
    return _row(chips)


def _block(block: Block, pointer: str, shapes: dict[str, BlockShape]) -> Box:
    match block:
        case Stack():
            box = _stack(block, pointer, shapes)
        case Connect():
            box = _connect(block, pointer, shapes)
        case _:
            row = shapes[pointer]
            box = _text_box("b", [_label(block), *_options(block), _counts(row)])
    return box if block.source is None else _column([_text_box("i", [f"from {block.source}"]), box])


def _label(block: Block) -> str:
    return f"{block.kind} {block.name!r}" if block.name else block.kind


def _options(block: Block) -> list[str]:
    """What is not as it is by default, but for what says itself."""
    fields = type(block).model_fields
    told = [
        f"{name} {value}"
        for name, value in block
        if name not in {"kind", "name", "source"} and (fields[name].is_required() or value != fields[name].default)
    ]
    return [", ".join(told)] if told else []


def _counts(row: BlockShape) -> str:
    return f"width {row.width:,}, {row.parameters:,} parameters"


def _stack(block: Stack, pointer: str, shapes: dict[str, BlockShape]) -> Box:
    inside = _column([_block(one, f"{pointer}/blocks/{number}", shapes) for number, one in enumerate(block.blocks)])
    told = [f"{block.repeat} times"] if block.repeat > 1 else []
    told += [f"skip {block.skip}"] if block.skip != "none" else []
    told += [repr(block.name)] if block.name else []
    return _framed(inside, "stack " + ", ".join(told)) if told else inside


def _connect(block: Connect, pointer: str, shapes: dict[str, BlockShape]) -> Box:
    branches = [_block(one, f"{pointer}/branches/{number}", shapes) for number, one in enumerate(block.branches)]
    merge = _text_box("m", [block.merge])
    row = _row(branches)
    height = row.height + MERGE_GAP + merge.height

    def draw(x: float, y: float) -> list[str]:
        drawn = row.draw(x, y)
        bottom = y + row.height + MERGE_GAP
        for middle, branch in zip(_middles(branches, x), branches, strict=True):
            # Down to below the longest branch first: nothing is crossed.
            drawn.append(f'<path class="e" d="M{middle:.1f} {y + branch.height:.1f}V{y + row.height:.1f}"/>')
            drawn.append(_arrow(middle, y + row.height, x, bottom))
        return drawn + merge.draw(x, bottom)

    return _framed(Box(max(row.width, merge.width), height, draw), _label(block))


def _framed(inside: Box, label: str) -> Box:
    width = max(inside.width, len(label) * CHARACTER) + 2 * PADDING

    def draw(x: float, y: float) -> list[str]:
        height = inside.height + 2 * PADDING + LINE
        frame = f'<rect class="f" x="{x - width / 2:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="8"/>'
        return [frame, _text(x, y + LINE, label, "s"), *inside.draw(x, y + PADDING + LINE)]

    return Box(width, inside.height + 2 * PADDING + LINE, draw)


def _column(boxes: list[Box]) -> Box:
    """Boxes below each other, with arrows between them."""

    def draw(x: float, y: float) -> list[str]:
        drawn: list[str] = []
        for place, box in enumerate(boxes):
            if place:
                drawn.append(_arrow(x, y - GAP, x, y))
            drawn += box.draw(x, y)
            y += box.height + GAP
        return drawn

    return Box(max(box.width for box in boxes), sum(box.height for box in boxes) + GAP * (len(boxes) - 1), draw)


def _row(boxes: list[Box]) -> Box:
    """Boxes side by side, their tops at one height."""

    def draw(x: float, y: float) -> list[str]:
        return [line for middle, box in zip(_middles(boxes, x), boxes, strict=True) for line in box.draw(middle, y)]

    return Box(sum(box.width for box in boxes) + GAP * (len(boxes) - 1), max(box.height for box in boxes), draw)


def _middles(boxes: list[Box], x: float) -> list[float]:
    left = x - (sum(box.width for box in boxes) + GAP * (len(boxes) - 1)) / 2
    middles = []
    for box in boxes:
        middles.append(left + box.width / 2)
        left += box.width + GAP
    return middles


def _text_box(kind: str, lines: list[str]) -> Box:
    shown = [line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…" for line in lines]
    width = max(len(line) for line in shown) * CHARACTER + 2 * PADDING
    height = len(lines) * LINE + PADDING

    def draw(x: float, y: float) -> list[str]:
        box = f"<g data-box={quoteattr(' | '.join(lines))}><title>{escape('; '.join(lines))}</title>"
        rect = f'<rect class="{kind}" x="{x - width / 2:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6"/>'
        words = [_text(x, y + LINE * (number + 1), line, "" if number == 0 else "s") for number, line in enumerate(shown)]
        return [box, rect, *words, "</g>"]

    return Box(width, height, draw)


def _text(x: float, y: float, words: str, kind: str) -> str:
    style = f' class="{kind}"' if kind else ""
    return f'<text{style} x="{x:.1f}" y="{y:.1f}">{escape(words)}</text>'


def _arrow(x: float, y: float, to_x: float, to_y: float) -> str:
    half = (y + to_y) / 2
    return f'<path class="e" marker-end="url(#a)" d="M{x:.1f} {y:.1f}C{x:.1f} {half:.1f} {to_x:.1f} {half:.1f} {to_x:.1f} {to_y:.1f}"/>'
