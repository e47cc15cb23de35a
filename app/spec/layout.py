"""Where does each box and frame of a diagram stand? Lengths are in pixels of an unscaled SVG.

Boxes stand in bands, one below the other; a box stands below all that it reads. Between two bands is a channel, in which frames end, arrows
run sideways and frames begin. So whatever runs sideways meets no box. Sideways, each group is centred in its frame.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

CHARACTER = 7.2
"""Width of a character of 12 px, generously: sans-serif fonts need 5.5 to 7."""

TITLE_CHARACTER = 8.6
"""The same of the first line, which is bold and 13 px high."""

LONGEST_LINE = 34
"""Characters of a line in a box; what is longer is cut, or wrapped where it is a list."""

MOST_LINES = 4
"""Lines of options in a box."""

LINE, TITLE_LINE = 15.0, 18.0
BESIDE, PAD, LANE = 28.0, 18.0, 16.0
"""Between boxes side by side; between a frame and what is in it; what a skip's arrow takes beside its blocks."""

ARROW, EXIT = 16.0, 10.0
"""What an arrow takes above the frame or box that it enters, and below the one that it leaves."""


@dataclass(eq=False)
class Box:
    """One box.

    Attributes:
        role: `input`, `block`, `merge`, `skip` or `end`.
        pointer: where it stands in the document.
        title: its first line.
        options: what follows, a line or less each.
        widths: of its output, in each run.
        counts: trainable numbers of each run, where it counts them.
        gives: what is said in place of `widths`.
        rank: the band that it stands in.
        x: of its centre.
        y: of its top.
        lines: what it says, cut to size.
        width: across.
        height: down.
    """

    role: str
    pointer: str
    title: str
    options: tuple[str, ...]
    widths: list[int] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    gives: str = ""
    rank: int = 0
    x: float = 0.0
    y: float = 0.0
    lines: list[str] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0

    @property
    def is_small(self) -> bool:
        """Whether it has a single line."""
        return self.role in {"merge", "skip"}

    def outcome(self) -> str:
        """What it gives, and what it counts."""
        gives = self.gives or f"-> {' / '.join(f'{width:,}' for width in dict.fromkeys(self.widths))}"
        if not self.counts:
            return gives
        total, runs = sum(self.counts), len(self.counts)
        each = f"{runs} x {self.counts[0]:,} parameters" if len(set(self.counts)) == 1 else f"{total:,} parameters in {runs} runs"
        return f"{gives} · {f'{total:,} parameters' if runs == 1 else each}"


@dataclass(eq=False)
class Group:
    """Boxes and groups, one after another or side by side.

    Attributes:
        items: in order.
        is_beside: whether they stand side by side.
        labels: lines of its frame's label; without one it has no frame.
        has_lane: whether arrows run past its items, at its right.
        x: of its centre.
        width: with its frame.
        first: its uppermost band.
        last: its lowest.
        above: from its top to its first band.
        below: from its last band to its bottom.
        top: its upper edge.
        bottom: its lower edge.
    """

    items: list[Box | Group]
    is_beside: bool = False
    labels: tuple[str, ...] = ()
    has_lane: bool = False
    x: float = 0.0
    width: float = 0.0
    first: int = 0
    last: int = 0
    above: float = 0.0
    below: float = 0.0
    top: float = 0.0
    bottom: float = 0.0

    @property
    def lane_x(self) -> float:
        """Where arrows run past its items."""
        return self.x + self.width / 2 - (PAD if self.labels else 0) - LANE / 2


@dataclass(frozen=True)
class Arrow:
    """What is read, and what reads it.

    Attributes:
        source: what is read.
        target: what reads it.
        kind: `flow` to the next block, `merge` of a branch into what joins it, `skip` past a block, or `tap`: what a `from` asks for.
        lane: the group in whose lane it runs, of a skip.
    """

    source: Box
    target: Box
    kind: str
    lane: Group | None = None


def characters(text: str) -> int:
    """How many characters wide a text is; those of East Asian scripts count twice."""
    return len(text) if text.isascii() else sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def cut(text: str, at_most: int = LONGEST_LINE) -> str:
    """The text, or its beginning and an ellipsis."""
    if characters(text) <= at_most:
        return text
    reached = list(accumulate(map(characters, text)))
    return text[: bisect_right(reached, at_most - 1)].rstrip(" ,") + "…"


def wrapped(options: Iterable[str]) -> list[str]:
    """Options in lines: as many in each as fit, and an ellipsis for those that do not."""
    lines: list[str] = []
    for option in options:
        both = f"{lines[-1]} · {option}" if lines else option
        if lines and characters(both) <= LONGEST_LINE:
            lines[-1] = both
        elif len(lines) == MOST_LINES:
            lines[-1] = cut(f"{lines[-1]} · {option}" + " " * LONGEST_LINE)
            break
        else:
            lines.append(cut(option))
    return lines


def measure(item: Box | Group) -> float:
    """The item's width; lines and heights of boxes, and widths of groups, are known afterwards."""
    if isinstance(item, Box):
        if item.is_small:
            item.lines = [cut(f"{item.title} {item.outcome()}", 2 * LONGEST_LINE)]
        else:
            item.lines = [cut(item.title), *wrapped(item.options), cut(item.outcome(), 2 * LONGEST_LINE)]
        item.height = 26.0 if item.is_small else TITLE_LINE + LINE * (len(item.lines) - 1) + 14
        title = TITLE_CHARACTER * characters(item.lines[0]) * (not item.is_small)
        item.width = max(title, *(CHARACTER * characters(line) for line in item.lines)) + 24
        return item.width
    widths = [measure(one) for one in item.items]
    item.width = sum(widths) + BESIDE * (len(widths) - 1) if item.is_beside else max(widths)
    item.width += 2 * LANE * item.has_lane
    if item.labels:
        label = max(CHARACTER * characters(line) for line in map(cut, item.labels))
        # The label stands at the left of the line that enters at the centre.
        item.width = max(item.width + 2 * PAD, 2 * (label + 16))
    return item.width


def place_across(item: Box | Group, x: float) -> None:
    """Gives the item and all that is in it the centres of their widths."""
    item.x = x
    if isinstance(item, Group):
        left = x - (sum(one.width for one in item.items) + BESIDE * (len(item.items) - 1)) / 2
        for one in item.items:
            place_across(one, left + one.width / 2 if item.is_beside else x)
            left += one.width + BESIDE


def place_in_bands(item: Box | Group, rank: int, sources: Mapping[Box, Sequence[Box]]) -> int:
    """The first band below the item, which is given its own: `rank`, or lower where it reads what stands lower."""
    if isinstance(item, Box):
        item.rank = max([rank, *(source.rank + 1 for source in sources[item])])
        return item.rank + 1
    after = rank
    for one in item.items:
        after = max(after, place_in_bands(one, rank, sources))
        rank = rank if item.is_beside else after
    inside = [(one.rank, one.rank, 0.0, 0.0) if isinstance(one, Box) else (one.first, one.last, one.above, one.below) for one in item.items]
    item.first, item.last = min(first for first, *_ in inside), max(last for _, last, *_ in inside)
    item.above = max(above for first, _, above, _ in inside if first == item.first)
    item.below = max(below for _, last, _, below in inside if last == item.last)
    if item.labels:
        item.above += LINE * len(item.labels) + 16
        item.below += PAD
    return after


def all_of(root: Group) -> tuple[list[Box], list[Group]]:
    """Every box, and every group from the outermost on, in the order of the document."""
    boxes: list[Box] = []
    groups: list[Group] = []
    waiting: list[Box | Group] = [root]
    while waiting:
        item = waiting.pop()
        if isinstance(item, Box):
            boxes.append(item)
        else:
            groups.append(item)
            waiting.extend(reversed(item.items))
    return boxes, groups


def arrange(root: Group, arrows: Iterable[Arrow]) -> None:
    """Gives every box its size, its band and its place across."""
    sources: dict[Box, list[Box]] = defaultdict(list)
    for arrow in arrows:
        sources[arrow.target].append(arrow.source)
    measure(root)
    place_across(root, 0.0)
    place_in_bands(root, 0, sources)


def place_down(boxes: Sequence[Box], groups: Sequence[Group], room: Sequence[float]) -> tuple[list[float], float]:
    """Gives every box its place down.

    Args:
        boxes: all of them.
        groups: all of them.
        room: height that arrows take sideways in each channel, the one above the first band included.

    Returns:
        Where this room begins in each channel, and where the last band ends.
    """
    bands = len(room)
    heights, above, below = [0.0] * bands, [ARROW] * bands, [EXIT] * bands
    for box in boxes:
        heights[box.rank] = max(heights[box.rank], box.height)
    for group in groups:
        above[group.first] = max(above[group.first], group.above + ARROW)
        below[group.last] = max(below[group.last], group.below + EXIT)
    channels, tops, y = [], [], 0.0
    for rank in range(bands):
        channels.append(y)
        tops.append(y + room[rank] + (above[rank] if rank else 0.0))
        y = tops[-1] + heights[rank] + below[rank]
    for box in boxes:
        box.y = tops[box.rank]
    for group in groups:
        group.top = tops[group.first] - group.above
        group.bottom = tops[group.last] + heights[group.last] + group.below
    return channels, y - below[-1]
