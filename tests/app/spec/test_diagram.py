"""A drawing shows every block once, nothing over another, and is XML whatever it is of."""

import time
from itertools import combinations
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given

from app.errors import SpecError
from app.spec.compile import CompiledSpec, compile_spec
from app.spec.diagram import diagram
from app.spec.gallery import GALLERY
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from tests.strategies_specs import documents

SVG = "{http://www.w3.org/2000/svg}"


def compiled(document: dict[str, Any]) -> CompiledSpec:
    return compile_spec(parse_spec(document), NetworkLimits())


def boxes_of(svg: str) -> dict[str, list[tuple[float, float, float, float]]]:
    """Left, top, right and bottom of each box by what it says."""
    found: dict[str, list[tuple[float, float, float, float]]] = {}
    for group in ET.fromstring(svg).iter(f"{SVG}g"):  # noqa: S314 it is our own
        rect = group.find(f"{SVG}rect")
        assert rect is not None
        x, y, width, height = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        found.setdefault(group.attrib["data-box"], []).append((x, y, x + width, y + height))
    return found


def assert_apart(svg: str) -> None:
    root = ET.fromstring(svg)  # noqa: S314 it is our own
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    boxes = [box for same in boxes_of(svg).values() for box in same]
    assert all(left >= 0 and top >= 0 and right <= width and bottom <= height for left, top, right, bottom in boxes)
    for one, other in combinations(boxes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1], (one, other)


@pytest.mark.parametrize("name", GALLERY)
def test_the_gallery_is_drawn_with_its_kinds_and_counts(name: str) -> None:
    shown = compile_spec(GALLERY[name].spec, NetworkLimits())
    svg = diagram(shown)
    assert_apart(svg)
    said = " ".join(boxes_of(svg))
    for row in shown.blocks:
        assert row.kind in said
        assert f"{row.parameters:,} parameters" in said
    assert svg == diagram(shown)


@given(documents())
def test_no_box_lies_over_another_or_outside_of_the_picture(document: dict[str, Any]) -> None:
    try:
        shown = compiled(document)
    except SpecError:
        return
    assert_apart(diagram(shown))


def test_taps_names_options_and_merges_are_told() -> None:
    branches = [{"kind": "lstm", "units": 3, "from": "a", "name": "first", "dilation": 2}, {"kind": "dense", "units": 3, "from": "b"}]
    network = {"kind": "connect", "branches": branches, "merge": "max"}
    inputs = {"a": {"columns": ["y"]}, "b": {"columns": ["x"], "known": "future"}}
    said = boxes_of(diagram(compiled({"context": 9, "horizon": 2, "inputs": inputs, "network": network})))
    assert {"from a", "from b", "max", "a | y", "b | x (known ahead)"} <= set(said)
    assert any(text.startswith("lstm 'first' | units 3, dilation 2 | width 3, ") for text in said)


def test_columns_with_marks_of_their_own_stay_text() -> None:
    svg = diagram(compiled({"inputs": {"a": {"columns": ['<script>"&']}}, "network": {"kind": "norm"}}))
    assert "<script" not in svg
    assert 'a | <script>"&' in boxes_of(svg)


def test_a_large_network_is_drawn_at_once() -> None:
    blocks = [{"kind": "connect", "branches": [{"kind": "gru", "units": 4}, {"kind": "dense", "units": 4}]}] * 80
    shown = compiled({"network": {"kind": "stack", "blocks": blocks}})
    began_at = time.perf_counter()
    svg = diagram(shown)
    assert time.perf_counter() - began_at < 0.2
    assert svg.count("<g ") > 240
