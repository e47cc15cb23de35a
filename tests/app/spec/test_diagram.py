"""The drawing of a document shows what is in it, and nothing runs into anything else."""

import dataclasses
import itertools
import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import pytest
from hypothesis import given

from app.spec.cells import AnyBlock
from app.spec.compile import CompiledSpec, compile_spec
from app.spec.diagram import diagram
from app.spec.figure import figure
from app.spec.gallery import GALLERY
from app.spec.layout import LONGEST_LINE, MOST_LINES, all_of, characters, wrapped
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from app.spec.shapes import decoder_parameters
from app.spec.walk import BlockShape
from tests.strategies_specs import connect, documents, read_all, stack

SVG = "{http://www.w3.org/2000/svg}"
README = (Path(__file__).parents[3] / "README.md").read_text()
TOUCHING = 0.001
LSTM = {"kind": "lstm", "units": 4}
INPUTS = {"load": {"columns": ["y"]}, "weather": {"columns": ["temperature", "wind"], "known": "future"}}


def compiled(document: object, **limits: int) -> CompiledSpec:
    return compile_spec(parse_spec(document), NetworkLimits(**limits))


def drawn(document: object) -> ET.Element:
    return ET.fromstring(diagram(compiled(document)))  # noqa: S314  (it was drawn here)


def texts(document: object) -> list[str]:
    """What can be read in the drawing, without tooltips."""
    return [element.text or "" for element in drawn(document).iter(f"{SVG}text")]


def box_texts(document: object) -> dict[str, list[str]]:
    """What each box says, by its place in the document."""
    groups = [group for group in drawn(document).iter(f"{SVG}g") if "data-pointer" in group.attrib]
    return {group.attrib["data-pointer"]: [text.text or "" for text in group.iter(f"{SVG}text")] for group in groups}


def numbers(element: ET.Element, *names: str) -> list[float]:
    return [float(element.attrib[name]) for name in names]


Rectangle = tuple[float, float, float, float]


def rectangles(root: ET.Element, kind: str) -> list[Rectangle]:
    """Left, top, right and bottom of boxes or frames."""
    found = []
    for element in root.iter(f"{SVG}rect"):
        if kind in element.attrib["class"].split():
            x, y, width, height = numbers(element, "x", "y", "width", "height")
            found.append((x, y, x + width, y + height))
    return found


def overlap(one: Rectangle, other: Rectangle) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def corners(root: ET.Element) -> list[tuple[float, float]]:
    """Every point of every arrow."""
    ways = [element.attrib["d"] for element in root.iter(f"{SVG}path") if element.attrib["class"].startswith("way")]
    return [(float(x), float(y)) for way in ways for x, y in re.findall(r"(-?[\d.]+) (-?[\d.]+)", way)]


@given(documents())
def test_no_box_lies_on_another_and_all_are_in_view(document: dict[str, Any]) -> None:
    root = drawn(read_all(document))
    boxes = rectangles(root, "box")
    assert not [pair for pair in itertools.combinations(boxes, 2) if overlap(*pair)]
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    for x, y in [*corners(root), *(point for box in boxes + rectangles(root, "frame") for point in (box[:2], box[2:]))]:
        assert left <= x <= left + width
        assert top <= y <= top + height


@given(documents())
def test_boxes_count_all_parameters_and_the_last_gives_the_width_that_the_decoder_reads(document: dict[str, Any]) -> None:
    of = compiled(read_all(document))
    found = figure(of)
    boxes, _ = all_of(found.root)
    assert sum(sum(box.counts) for box in boxes) == of.parameters
    widths = {row.pointer: row.width for row in of.blocks[:-1]}
    assert all(box.widths[-1] == widths[box.pointer] for box in boxes if box.role == "block")
    (last,) = [arrow.source for arrow in found.arrows if arrow.target.title == f"{of.spec.decoder.kind} decoder"]
    assert decoder_parameters(of.spec, last.widths[-1], of.spec.horizon or 1) == of.blocks[-1].parameters


@given(documents())
def test_the_same_document_gives_the_same_drawing(document: dict[str, Any]) -> None:
    assert diagram(compiled(read_all(document))) == diagram(compiled(read_all(document)))


@pytest.mark.parametrize("name", GALLERY)
def test_the_gallery_and_its_blocks_are_drawn(name: str) -> None:
    of = compile_spec(GALLERY[name].spec, NetworkLimits())
    root = ET.fromstring(diagram(of))  # noqa: S314  (it was drawn here)
    pointers = {element.attrib.get("data-pointer") for element in root.iter(f"{SVG}g")}
    assert {row.pointer for row in of.blocks} <= pointers


def test_the_readme_example_is_drawn_with_its_counts() -> None:
    (example, *_) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    said = box_texts(json.loads(example))
    assert said["#/inputs/calendar"] == ["calendar", "features day_of_year · known ahead", "-> 2"]
    assert said["#/network/blocks/0/branches/1/blocks/1"] == ["dropout", "rate 0.1", "-> 16 · 0 parameters"]
    assert said["#/network/blocks/0"] == ["concat -> 56"]
    assert said["#/network/blocks/1"] == ["lstm", "units 32", "-> 32 · 11,392 parameters"]
    assert said["#/decoder"][-1] == "-> 7 steps · 987 parameters"
    assert said["#/head"] == ["quantiles head", "levels 0.1, 0.5, 0.9", "-> 3 a step"]


def test_a_box_says_what_is_not_at_its_default_and_nothing_else() -> None:
    block = {**LSTM, "name": "demand", "dropout": 0.25, "peepholes": True, "direction": "forward"}
    assert box_texts({"network": block})["#/network"] == ["lstm · demand", "units 4 · dropout 0.25 · peepholes", "-> 4 · 108 parameters"]
    conv = {"kind": "conv", "units": 1200, "causal": False}
    assert box_texts({"network": conv})["#/network"][:2] == ["conv", "units 1,200 · not causal"]


def test_a_kind_of_block_that_is_not_known_yet_is_a_box_with_its_options() -> None:
    class Folded(AnyBlock):
        kind: Literal["folded"]
        ways: dict[str, float]
        inner: AnyBlock
        limit: int | None = 3

    of = compiled({"network": {"kind": "dense", "units": 4}})
    block = Folded(kind="folded", ways={"left": 0.5}, inner=of.spec.network, limit=None)
    row = BlockShape("#/network", "folded", "", ("the input 'target'",), 4, 1234, 0)
    new = dataclasses.replace(of, spec=of.spec.model_copy(update={"network": block}), blocks=(row, of.blocks[-1]))
    root = ET.fromstring(diagram(new))  # noqa: S314  (it was drawn here)
    said = [text.text for text in root.iter(f"{SVG}text")]
    assert {"folded", "ways left 0.5", "inner dense units 4 · limit none", "-> 4 · 1,234 parameters"} <= set(said)


def test_repeated_blocks_are_drawn_once_and_counted_as_often_as_they_run() -> None:
    said = texts({"network": stack({"kind": "gru", "units": 4}, repeat=2)})
    assert {"stack", "repeat 2", "-> 4 · 204 parameters in 2 runs"} <= set(said)
    grown = texts({"network": stack({"kind": "dense", "units": 3}, {"kind": "norm"}, repeat=3, skip="dense")})
    assert {"skip dense", "concat -> 8 / 22 / 50", "-> 4 / 11 / 25 · 80 parameters in 3 runs"} <= set(grown)
    gated = texts({"network": stack({"kind": "dense", "units": 3}, stack({"kind": "norm"}, skip="highway", repeat=2))})
    assert {"highway -> 3 · 2 x 12 parameters", "-> 3 · 2 x 6 parameters"} <= set(gated)


def test_a_tap_is_an_arrow_from_the_named_block_and_a_first_block_reads_all_inputs_side_by_side() -> None:
    network = stack({**LSTM, "name": "low"}, connect({"kind": "dense", "units": 2}, {"kind": "gru", "units": 3, "from": "low"}))
    arrows = figure(compiled({"inputs": INPUTS, "network": network})).arrows
    assert {(arrow.source.title, arrow.target.title, arrow.kind) for arrow in arrows} == {
        ("load", "side by side", "merge"),
        ("weather", "side by side", "merge"),
        ("side by side", "lstm · low", "flow"),
        ("lstm · low", "dense", "flow"),
        ("lstm · low", "gru", "tap"),
        ("dense", "concat", "merge"),
        ("gru", "concat", "merge"),
        ("concat", "direct decoder", "flow"),
        ("direct decoder", "quantiles head", "flow"),
    }


def test_long_texts_are_cut_and_told_whole_in_a_tooltip() -> None:
    columns = ["y", "größe <&>\x07", "長い名前" * 12, *[f"column_{n}" for n in range(300)]]
    document = {"inputs": {"a": {"columns": columns}}, "network": {**LSTM, "name": "n" * 64}}
    said = box_texts(document)
    assert said["#/inputs/a"][1].startswith("y, größe <&>\ufffd, 長い")
    assert all(characters(line) <= LONGEST_LINE + 1 for line in [*said["#/inputs/a"], *said["#/network"]])
    tooltips = [title.text or "" for title in drawn(document).iter(f"{SVG}title")]
    assert any("column_299" in tooltip for tooltip in tooltips)
    assert any("n" * 64 in tooltip for tooltip in tooltips)


def test_more_options_than_a_box_has_lines_end_in_an_ellipsis() -> None:
    lines = wrapped([f"an option of some length {n}" for n in range(9)])
    assert len(lines) == MOST_LINES
    assert lines[-1].endswith("…")
    assert wrapped(["units 4", "dropout 0.1"]) == ["units 4 · dropout 0.1"]


def test_an_input_says_what_of_it_is_known_ahead() -> None:
    inputs = {
        "load": {"columns": ["y"], "features": ["day_of_week"]},
        "weather": INPUTS["weather"],
        "calendar": {"features": ["day_of_year"]},
    }
    said = box_texts({"inputs": inputs, "network": LSTM})
    assert said["#/inputs/load"] == ["load", "y · features day_of_week", "calendar known ahead", "-> 3"]
    assert said["#/inputs/weather"] == ["weather", "temperature, wind · known ahead", "-> 2"]
    assert said["#/inputs/calendar"] == ["calendar", "features day_of_year · known ahead", "-> 2"]
    assert said["#/decoder"][1] == "knows ahead load, weather, calend…"


def test_a_document_within_a_request_is_found_by_its_base() -> None:
    of = compile_spec(parse_spec({"network": LSTM}), NetworkLimits(), base="#/architecture")
    assert 'data-pointer="#/architecture/network"' in diagram(of)


def test_it_is_told_in_words_and_needs_no_other_file() -> None:
    svg = diagram(compiled({"inputs": INPUTS, "network": {**LSTM, "name": "demand"}}))
    assert "<title>A network of 1 block and " in svg
    assert "<desc>lstm &#x27;demand&#x27; reads the input" in svg
    assert "prefers-color-scheme:dark" in svg
    assert not re.search(r"<script|@import|url\(|href|\son\w+=", svg)


def large_networks(size: int) -> list[dict[str, object]]:
    """Of so many blocks each: deep, wide, both, and with an arrow from afar to every block."""
    dense = {"kind": "dense", "units": 2}
    tapping = [{**dense, "name": f"b{n}", "from": f"b{n // 2}" if n else "target"} for n in range(size)]
    long, wide = [dense] * size, [{**dense, "from": "target"}] * size
    mixed = connect(stack(*long[: size // 2]), *wide[: size // 2])
    return [stack(*long), connect(*wide), connect(*tapping), connect(dense, stack(*long)), mixed]


def test_twice_the_document_is_not_much_more_than_twice_the_work() -> None:
    for half, whole in zip(large_networks(125), large_networks(250), strict=True):
        assert calls_to_draw(whole) < 2.5 * calls_to_draw(half)


def calls_to_draw(network: dict[str, object]) -> int:
    """Calls of functions, which do not depend on what else the machine does."""
    of, count = compiled({"network": network}), itertools.count()

    def note(_frame: FrameType, event: str, _argument: object) -> None:
        if event in {"call", "c_call"}:
            next(count)

    sys.setprofile(note)
    try:
        diagram(of)
    finally:
        sys.setprofile(None)
    return next(count)
