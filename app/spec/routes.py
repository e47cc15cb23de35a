"""Which way does an arrow take, past all boxes?

It leaves its source downwards into the channel below, runs sideways to a place where it can go down, and in the channel above its target
sideways to the target. The way down is straight, or beside the boxes that are in between, or in a lane at the side of the whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from app.spec.layout import Arrow, Box

Point = tuple[float, float]

TRACK, SIDE_LANE = 9.0, 10.0
"""Between arrows that run sideways one above the other, and between lanes at the side."""

CLEAR = 7.0
"""Between an arrow and a box or another arrow beside it."""

PORT = 12.0
"""Between the arrow to the next block and one to a block elsewhere, where they leave."""

STRAIGHT = 14.0
"""How far from its middle an arrow may enter the box below, rather than turn twice for so little."""

FAR = 12
"""Bands from which on an arrow takes a lane at the side, without a look for a nearer way: so the time is linear."""


@dataclass(frozen=True)
class Route:
    """An arrow's way before heights are known: across at `start`, down at `down`, across at `end`.

    Attributes:
        arrow: whose way it is.
        start: where it leaves its source, across.
        down: where it goes down.
        end: where it enters its target, across.
    """

    arrow: Arrow
    start: float
    down: float
    end: float


@dataclass
class Plan:
    """Ways of all arrows.

    Attributes:
        routes: in the order of the arrows' readers, those of taps last.
        tracks: by channel, the track of each bundle of arrows that runs sideways together.
        room: of each channel, the height of its tracks.
    """

    routes: list[Route]
    tracks: list[dict[tuple[int, int], int]]
    room: list[float]


Bundle = tuple[int, int]
"""Arrows that share a track: those out of one box, or those into one that joins. An order, then the box's number."""


@dataclass
class _Space:
    """What is taken: in every band, by boxes and by arrows that go down beside them."""

    boxes: list[list[tuple[float, float]]]
    left: float
    right: float
    downs: list[list[tuple[float, Box]]] = field(default_factory=list)
    lanes: tuple[list[tuple[int, Box]], list[tuple[int, Box]]] = field(default_factory=lambda: ([], []))

    def is_free(self, x: float, bands: range, source: Box) -> bool:
        """Whether an arrow can go down there; those of one source may run together."""
        for band in bands:
            taken = self.boxes[band]
            number = bisect_left(taken, (x, 0.0))
            if any(low - CLEAR < x < high + CLEAR for low, high in taken[max(number - 1, 0) : number + 1]):
                return False
            if any(abs(other - x) < CLEAR and by is not source for other, by in self.downs[band]):
                return False
        return True

    def take(self, x: float, bands: range, source: Box) -> None:
        for band in bands:
            self.downs[band].append((x, source))

    def side_lane(self, x: float, bands: range, source: Box) -> float:
        """The nearest lane at the nearer side that is free there. Sources come from the top down."""
        is_left = x < (self.left + self.right) / 2
        lanes = self.lanes[0 if is_left else 1]
        number = next((n for n, (end, by) in enumerate(lanes) if by is source or end < bands.start), len(lanes))
        lanes[number : number + 1] = [(max(bands.stop, lanes[number][0] if number < len(lanes) else 0), source)]
        distance = SIDE_LANE * (number + 2.5)
        return self.left - distance if is_left else self.right + distance


def plan(boxes: Sequence[Box], arrows: Sequence[Arrow], left: float, right: float) -> Plan:
    """Finds the ways of all arrows between boxes whose bands and places across are known.

    Args:
        boxes: all of them.
        arrows: all of them.
        left: the leftmost edge of all boxes and frames.
        right: the rightmost.
    """
    bands = 1 + max(box.rank for box in boxes)
    taken: list[list[tuple[float, float]]] = [[] for _ in range(bands)]
    for box in boxes:
        taken[box.rank].append((box.x - box.width / 2, box.x + box.width / 2))
    space = _Space([sorted(band) for band in taken], left, right, [[] for _ in range(bands)])
    number = {box: n for n, box in enumerate(boxes)}
    # The nearest go first: what flows from block to block takes the straight ways; sources of taps come from the top down.
    order = {"flow": 0, "merge": 0, "skip": 1, "tap": 2}
    ordered = sorted(arrows, key=lambda arrow: (order[arrow.kind], arrow.source.rank if arrow.kind == "tap" else 0))
    routes = [_route(arrow, space) for arrow in ordered]
    tracks = [_tracks(spans) for spans in _spans(routes, number, bands)]
    return Plan(routes, tracks, [TRACK * len(set(channel.values())) for channel in tracks])


def _route(arrow: Arrow, space: _Space) -> Route:
    source, target = arrow.source, arrow.target
    start = source.x + (PORT if arrow.kind == "tap" and source.role != "input" else 0.0)
    bands = range(source.rank + 1, target.rank)
    if not bands:
        if not target.is_small and abs(start - target.x) < STRAIGHT:
            return Route(arrow, start, start, start)
        return Route(arrow, start, start if target.is_small else target.x, target.x)
    if arrow.kind == "merge":
        # Below the last block of a branch there is nothing in its column.
        down = start
    else:
        places = () if len(bands) > FAR and arrow.kind == "tap" else _places(arrow, start)
        found = next((x for x in places if space.is_free(x, bands, source)), None)
        down = space.side_lane(target.x, bands, source) if found is None else found
    space.take(down, bands, source)
    return Route(arrow, start, down, target.x)


def _places(arrow: Arrow, start: float) -> Iterator[float]:
    """Where it may go down, the best first."""
    if arrow.lane is not None:
        yield arrow.lane.lane_x
    yield arrow.target.x
    yield start
    for box in (arrow.target, arrow.source):
        for away in (box.width / 2 + CLEAR + 2, box.width / 2 + 2 * (CLEAR + 2)):
            yield from (box.x + away, box.x - away)


def _spans(routes: Iterable[Route], number: dict[Box, int], bands: int) -> list[dict[Bundle, tuple[float, float]]]:
    """By channel, how far each bundle runs sideways."""
    spans: list[dict[Bundle, tuple[float, float]]] = [{} for _ in range(bands)]
    for route in routes:
        leaves, enters = bundles(route, number)
        for channel, bundle, ends in (
            (route.arrow.source.rank + 1, leaves, (route.start, route.down)),
            (route.arrow.target.rank, enters, (route.down, route.end)),
        ):
            if ends[0] != ends[1]:
                low, high = spans[channel].get(bundle, ends)
                spans[channel][bundle] = (min(low, *ends), max(high, *ends))
    return spans


def bundles(route: Route, number: dict[Box, int]) -> tuple[Bundle, Bundle]:
    """With which others an arrow runs sideways below its source, and above its target.

    What leaves a box runs above what enters another: they may be one above the other, and would meet on the way down. So do taps below
    the rest, which may leave a box above the one that they enter.
    """
    arrow, source = route.arrow, number[route.arrow.source]
    leaves = (1 if arrow.kind == "tap" else 0, source)
    return leaves, ((3, number[arrow.target]) if arrow.target.is_small else (2, source))


def _tracks(spans: dict[Bundle, tuple[float, float]]) -> dict[Bundle, int]:
    """A track for each bundle of one channel, so that none meets another."""
    found: dict[Bundle, int] = {}
    ends: list[float] = []
    first, order = 0, 0
    for bundle, (low, high) in sorted(spans.items(), key=lambda item: (item[0][0], item[1], item[0])):
        if bundle[0] != order:
            first, order = len(ends), bundle[0]
        track = next((n for n in range(first, len(ends)) if ends[n] + CLEAR < low), len(ends))
        ends[track : track + 1] = [high]
        found[bundle] = track
    return found


def points_of(route: Route, plan: Plan, channels: Sequence[float], number: dict[Box, int]) -> list[Point]:
    """The corners of an arrow's way, from its source's lower edge to its target's upper."""
    source, target = route.arrow.source, route.arrow.target
    points: list[Point] = [(route.start, source.y + source.height)]
    leaves, enters = bundles(route, number)
    for channel, bundle, x in ((source.rank + 1, leaves, route.down), (target.rank, enters, route.end)):
        if x != points[-1][0]:
            y = channels[channel] + TRACK * (plan.tracks[channel][bundle] + 0.5)
            points += [(points[-1][0], y), (x, y)]
    return [*points, (route.end, target.y)]
