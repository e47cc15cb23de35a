"""What does a document look like? A drawing of the graph that it describes, as one SVG file that needs nothing else.

`figure.py` says what is drawn, `layout.py` where it stands and `routes.py` which way arrows take; here it is written down.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from string import Template

from app.spec.compile import CompiledSpec
from app.spec.figure import figure
from app.spec.layout import LINE, TITLE_LINE, Box, Group, all_of, arrange, cut, place_down
from app.spec.routes import Point, plan, points_of
from app.spec.walk import BlockShape

MARGIN = 16.0
ROUND = 6.0
"""Radius of an arrow's corners."""

_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML file may have; names of columns may."""

_COLOURS = {
    "paper": ("#ffffff", "#14181d"),
    "ink": ("#1d2733", "#e7ecf2"),
    "quiet": ("#5a6675", "#a4afbc"),
    "line": ("#75828f", "#8896a5"),
    "tap": ("#b45f06", "#e0a458"),
    "edge": ("#b4bfcb", "#4b5866"),
    "frame": ("#f3f6f9", "#1a2027"),
    "block": ("#ffffff", "#232b34"),
    "input": ("#e3effb", "#1b334b"),
    "merge": ("#e9edf2", "#333d48"),
    "end": ("#efe8fa", "#35294a"),
}
"""Each in light and in dark."""

_FORM = """
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;text-anchor:middle}
.title{font-size:13px;font-weight:600}
.label{font-size:11px;text-anchor:start;paint-order:stroke;stroke-width:3px}
.frame{stroke-dasharray:4 3}
.way{fill:none;stroke-width:1.4px}
"""

_PAINT = """
text{fill:$quiet}
.title,.gives{fill:$ink}
.label{stroke:$frame}
.paper{fill:$paper}
.frame{fill:$frame;stroke:$edge}
.box{stroke:$edge}
.block{fill:$block}
.input{fill:$input}
.merge,.skip{fill:$merge}
.end{fill:$end}
.way{stroke:$line}
.head{fill:$line}
.way.tap{stroke:$tap}
.head.tap{fill:$tap}
"""
"""Written out once for light and once for dark: not every program that shows SVG knows the variables of CSS."""


def diagram(compiled: CompiledSpec) -> str:
    """The graph of a description as an SVG file: inputs above, blocks below in the order they run, decoder and head at the bottom.

    It follows the reader's light or dark colours. A box has its place in the document as `data-pointer` and its whole text as a tooltip.
    """
    drawn = figure(compiled)
    arrange(drawn.root, drawn.arrows)
    boxes, groups = all_of(drawn.root)
    ways = plan(boxes, drawn.arrows, -drawn.root.width / 2, drawn.root.width / 2)
    channels, bottom = place_down(boxes, groups, ways.room)
    number = {box: n for n, box in enumerate(boxes)}
    lines = [(route.arrow.kind, points_of(route, ways, channels, number)) for route in ways.routes]
    left = min([-drawn.root.width / 2, *(x for _, points in lines for x, _ in points)]) - MARGIN
    right = max([drawn.root.width / 2, *(x for _, points in lines for x, _ in points)]) + MARGIN
    width, height = right - left, bottom + 2 * MARGIN
    paper = f'x="{left:g}" y="{-MARGIN:g}" width="{width:g}" height="{height:g}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="braid-diagram" role="img" width="{width:g}" height="{height:g}" '
        f'viewBox="{left:g} {-MARGIN:g} {width:g} {height:g}">',
        f"<title>{_text(_title(compiled))}</title>",
        f"<desc>{_text(_told(compiled.blocks))}</desc>",
        f"<style>{_style()}</style>",
        f'<rect class="paper" {paper}/>',
        *(_frame(group) for group in groups if group.labels),
        *(_way(kind, points) for kind, points in lines),
        *_heads(lines),
        *(_label(group) for group in groups if group.labels),
        *(_box(box) for box in boxes),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _title(compiled: CompiledSpec) -> str:
    blocks = len(compiled.blocks) - 1
    return f"A network of {blocks:,} block{'s' * (blocks != 1)} and {compiled.parameters:,} parameters"


def _told(rows: Iterable[BlockShape]) -> str:
    """The graph in words."""
    sentences = [
        f"{row.kind}{f' {row.name!r}' * bool(row.name)} reads {', '.join(row.reads)}: {row.width:,} wide, {row.parameters:,} parameters."
        for row in rows
    ]
    return " ".join(sentences)


def _style() -> str:
    light, dark = (Template(_PAINT).substitute({name: pair[n] for name, pair in _COLOURS.items()}) for n in (0, 1))
    return f"{_scoped(_FORM + light)}@media (prefers-color-scheme:dark){{{_scoped(dark)}}}"


def _scoped(rules: str) -> str:
    """The rules for diagrams only: within a page they must not meet anything else."""
    pairs = (rule.split("{") for rule in rules.split("\n") if rule)
    return "".join(f"{','.join(f'.braid-diagram {one}' for one in which.split(','))}{{{what}\n" for which, what in pairs)


def _frame(group: Group) -> str:
    x, height = group.x - group.width / 2, group.bottom - group.top
    return f'<rect class="frame" x="{x:g}" y="{group.top:g}" width="{group.width:g}" height="{height:g}" rx="10"/>'


def _label(group: Group) -> str:
    x = group.x - group.width / 2 + 10
    lines = [
        f'<text class="label" x="{x:g}" y="{group.top + LINE * (n + 1):g}">{_text(cut(line))}</text>' for n, line in enumerate(group.labels)
    ]
    return f"<g><title>{_text(' · '.join(group.labels))}</title>{''.join(lines)}</g>"


def _box(box: Box) -> str:
    x, radius = box.x - box.width / 2, box.height / 2 if box.is_small else 6
    rect = f'<rect class="box {box.role}" x="{x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="{radius:g}"/>'
    kinds = ["gives"] if box.is_small else ["title", *["option"] * (len(box.lines) - 2), "gives"]
    y = box.y + (17.5 if box.is_small else TITLE_LINE + 2)
    lines = [
        f'<text class="{kind}" x="{box.x:g}" y="{y + LINE * n + (2 if n else 0):g}">{_text(line)}</text>'
        for n, (kind, line) in enumerate(zip(kinds, box.lines, strict=True))
    ]
    told = " · ".join([box.title, *box.options, box.outcome()])
    return f'<g data-pointer="{_text(box.pointer)}"><title>{_text(told)}</title>{rect}{"".join(lines)}</g>'


def _way(kind: str, points: Sequence[Point]) -> str:
    """A line through these corners, which are rounded."""
    steps = [f"M{points[0][0]:g} {points[0][1]:g}"]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        (x0, y0), (x1, y1) = _towards(here, before), _towards(here, after)
        steps.append(f"L{x0:g} {y0:g}Q{here[0]:g} {here[1]:g} {x1:g} {y1:g}")
    x, y = points[-1]
    return f'<path class="way{" tap" * (kind == "tap")}" d="{"".join(steps)}L{x:g} {y - 4:g}"/>'


def _towards(corner: Point, other: Point) -> Point:
    """Where a corner's rounding begins on the line to the other point; lines run across or down."""
    (x, y), (to_x, to_y) = corner, other
    reach_x, reach_y = min(ROUND, abs(to_x - x) / 2), min(ROUND, abs(to_y - y) / 2)
    return x + (reach_x if to_x > x else -reach_x), y + (reach_y if to_y > y else -reach_y)


def _heads(lines: Iterable[tuple[str, Sequence[Point]]]) -> Iterator[str]:
    """One head for all arrows that end at one place."""
    for (x, y), kind in {points[-1]: kind for kind, points in lines}.items():
        yield f'<path class="head{" tap" * (kind == "tap")}" d="M{x:g} {y:g}l-4.5 -8h9z"/>'


def _text(text: str) -> str:
    return escape(_NOT_XML.sub("\ufffd", text))
