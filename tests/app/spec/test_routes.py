"""Arrows run down and sideways between boxes, never through one, and no two on each other."""

import itertools
from typing import Any

from hypothesis import given

from app.spec.compile import CompiledSpec, compile_spec
from app.spec.figure import figure
from app.spec.layout import Arrow, Box, all_of, arrange, place_down
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from app.spec.routes import plan, points_of
from tests.strategies_specs import connect, documents, read_all, stack

TOUCHING = 0.001
DENSE = {"kind": "dense", "units": 2}
INPUTS = {"load": {"columns": ["y"]}, "weather": {"columns": ["temperature", "wind"], "known": "future"}}

Rectangle = tuple[float, float, float, float]


def compiled(document: object) -> CompiledSpec:
    return compile_spec(parse_spec(document), NetworkLimits())


def overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def routed(of: CompiledSpec) -> tuple[list[Box], list[tuple[Arrow, list[tuple[float, float]]]]]:
    """All boxes where they stand, and all arrows with their corners."""
    found = figure(of)
    arrange(found.root, found.arrows)
    boxes, groups = all_of(found.root)
    ways = plan(boxes, found.arrows, -found.root.width / 2, found.root.width / 2)
    channels, _ = place_down(boxes, groups, ways.room)
    number = {box: n for n, box in enumerate(boxes)}
    return boxes, [(route.arrow, points_of(route, ways, channels, number)) for route in ways.routes]


@given(documents())
def test_arrows_run_down_and_beside_boxes_and_not_through_them(document: dict[str, Any]) -> None:
    boxes, arrows = routed(compiled(read_all(document)))
    edges = [(box.x - box.width / 2, box.y, box.x + box.width / 2, box.y + box.height) for box in boxes]
    for arrow, points in arrows:
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            assert (x0 == x1 and y0 <= y1) or y0 == y1
            way = (min(x0, x1) - 1, y0, max(x0, x1) + 1, max(y1, y0 + TOUCHING) - TOUCHING)
            assert not [edge for edge in edges if overlap(way, edge)], arrow


@given(documents())
def test_an_arrow_ends_at_every_reader_and_no_two_run_on_each_other(document: dict[str, Any]) -> None:
    boxes, arrows = routed(compiled(read_all(document)))
    assert {arrow.target for arrow, _ in arrows} == {box for box in boxes if box.role != "input"}
    # What is rebuilt of a code is compared with what was read, and read by nothing.
    assert {arrow.source for arrow, _ in arrows} == {box for box in boxes[:-1] if box.title != "rebuilt"}
    for arrow, points in arrows:
        assert points[0][1] == arrow.source.y + arrow.source.height
        assert points[-1][1] == arrow.target.y
        assert abs(points[-1][0] - arrow.target.x) <= arrow.target.width / 4
    for (one, points), (other, others) in itertools.combinations(arrows, 2):
        if one.source is not other.source and one.target is not other.target:
            pairs = itertools.product(itertools.pairwise(points), itertools.pairwise(others))
            assert not [pair for pair in pairs if _run_together(*pair)]


def _run_together(one: tuple[tuple[float, float], ...], other: tuple[tuple[float, float], ...]) -> bool:
    """Whether two lines lie on each other; a crossing is none."""
    for across, along in ((0, 1), (1, 0)):
        if len({point[across] for point in one + other}) == 1:
            low = max(min(point[along] for point in line) for line in (one, other))
            return low < min(max(point[along] for point in line) for line in (one, other)) - TOUCHING
    return False


def test_a_block_stands_below_all_that_it_reads() -> None:
    network = connect(stack(DENSE, {**DENSE, "name": "deep"}, DENSE), {**DENSE, "from": "deep"})
    boxes, _ = routed(compiled({"network": network}))
    tops = {box.pointer: box.y for box in boxes}
    assert tops["#/network/branches/1"] == tops["#/network/branches/0/blocks/2"]


def test_a_far_reader_is_reached_by_a_lane_at_the_side() -> None:
    branches = connect(DENSE, *[{**DENSE, "from": name} for name in ("load", "weather", "load", "first")])
    boxes, arrows = routed(compiled({"inputs": INPUTS, "network": stack({**DENSE, "name": "first"}, *[DENSE] * 20, branches)}))
    left, right = min(box.x - box.width / 2 for box in boxes), max(box.x + box.width / 2 for box in boxes)
    beside = [min(x for x, _ in points) < left - 1 or max(x for x, _ in points) > right + 1 for _, points in arrows]
    assert beside.count(True) == 4


def test_a_reader_below_another_block_of_its_column_is_reached_beside_it() -> None:
    network = stack(DENSE, {**DENSE, "from": "load"}, {**DENSE, "from": "load"}, skip="dense")
    boxes, arrows = routed(compiled({"inputs": {"load": INPUTS["load"]}, "network": network}))
    left, right = min(box.x - box.width / 2 for box in boxes), max(box.x + box.width / 2 for box in boxes)
    taps = [points for arrow, points in arrows if arrow.kind == "tap"]
    assert len(taps) == 2
    assert all(left - 20 < x < right + 40 for points in taps for x, _ in points)


def test_arrows_of_two_sources_past_one_block_run_beside_each_other() -> None:
    network = stack(DENSE, {**DENSE, "from": "load"}, {**DENSE, "from": "weather"}, skip="dense")
    _, arrows = routed(compiled({"inputs": INPUTS, "network": network}))
    downs = [{x for x, _ in points[1:-1]} for arrow, points in arrows if arrow.kind == "tap"]
    assert len(downs) == 2
    assert downs[0] != downs[1]
