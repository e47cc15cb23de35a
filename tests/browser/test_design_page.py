"""Designing a network in the browser: faults at their place, completion, the gallery, and a form for those who write no JSON."""

import json
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Stock, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.services, pytest.mark.slow]

FAULTY = '{\n  "horizon": 6,\n  "context": 24,\n  "network": {\n    "kind": "lstm",\n    "units": -1\n  }\n}'


def document_of(visitor: Visitor) -> dict[str, Any]:
    """The document, once the service has proven it."""
    expect(visitor.page.locator("#faults")).to_contain_text("The document is valid.")
    found: dict[str, Any] = json.loads(visitor.page.get_by_label("Document").input_value())
    return found


def test_a_fault_is_marked_at_its_place_as_one_types(visitor: Visitor) -> None:
    visitor.sign_in()
    visitor.open("#/design")
    page, editor = visitor.page, visitor.page.get_by_label("Document")
    editor.fill(FAULTY)
    expect(page.locator(".backdrop mark")).to_have_text("-1")
    expect(page.locator(".gutter .fault")).to_have_text("6")
    expect(editor).to_have_attribute("aria-invalid", "true")
    assert visitor.violations() == []
    page.get_by_role("button", name="Line 6").click()
    page.keyboard.type("8")
    assert document_of(visitor)["network"]["units"] == 8
    expect(page.locator(".backdrop mark")).to_have_count(0)
    editor.fill('{"context": 24,\n "horizon" 6}')
    expect(page.locator("#faults")).to_contain_text("It is no JSON yet")
    expect(page.locator(".gutter .fault")).to_have_text("2")
    visitor.errors = [error for error in visitor.errors if "422" not in error]


def test_what_can_stand_at_a_place_is_completed_from_the_schema(visitor: Visitor) -> None:
    visitor.sign_in()
    visitor.open("#/design")
    page, editor = visitor.page, visitor.page.get_by_label("Document")
    editor.fill('{"horizon": 6, "inputs": {"load": {"columns": ["y"]}}, ')
    editor.press("End")
    options = page.get_by_role("listbox", name="Completions").get_by_role("option")
    page.keyboard.type('"netw')
    expect(options).to_have_count(1)
    page.keyboard.press("Enter")
    expect(options.filter(has_text="min_gru")).to_be_visible()
    assert visitor.violations() == []
    page.keyboard.type("gru")
    expect(options.first).to_contain_text("gru")
    page.keyboard.press("Enter")
    expect(editor).to_have_value('{"horizon": 6, "inputs": {"load": {"columns": ["y"]}}, "network": {"kind": "gru", "units": 32}')
    page.keyboard.press("ArrowLeft")
    page.keyboard.type(', "from": ')
    page.keyboard.press("Control+ ")
    expect(options).to_have_text(["load"])
    page.keyboard.press("Tab")
    page.keyboard.type(', "outp')
    page.keyboard.press("Tab")
    expect(options).to_contain_text(["sequence", "last"])
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.keyboard.press("Control+End")
    page.keyboard.type("}")
    assert document_of(visitor)["network"] == {"kind": "gru", "units": 32, "from": "load", "output": "last"}
    page.keyboard.type(" ")
    page.keyboard.press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    visitor.errors = [error for error in visitor.errors if "422" not in error]


def test_a_network_is_built_by_buttons_alone(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    visitor.open(f"#/design?dataset={stock.dataset}")
    page = visitor.page
    page.get_by_role("button", name="connected", exact=True).click()
    assert len(document_of(visitor)["network"]["branches"]) == 2
    page.get_by_label("Kind").select_option("gru")
    page.get_by_label("Units").fill("7")
    page.get_by_label("Reads").select_option("right")
    page.get_by_role("button", name="Add branch").click()
    assert document_of(visitor)["network"]["branches"][2] == {"kind": "gru", "units": 7, "from": "right"}
    expect(page.get_by_role("table", name="Blocks")).to_contain_text("network/branches/2")
    page.get_by_role("button", name="Undo").click()
    assert len(document_of(visitor)["network"]["branches"]) == 2
    page.get_by_label("Merge").select_option("gate")
    assert document_of(visitor)["network"]["merge"] == "gate"
    page.get_by_label("Reads").select_option("")
    page.get_by_role("button", name="Add layer").click()
    assert [one["kind"] for one in document_of(visitor)["network"]["blocks"]] == ["connect", "gru"]
    page.get_by_label("Merge").select_option("sum")
    assert document_of(visitor)["network"]["blocks"][0]["merge"] == "sum"
    page.get_by_role("button", name="Remove last").click()
    assert [one["kind"] for one in document_of(visitor)["network"]["blocks"]] == ["connect"]


def test_every_document_of_the_gallery_is_one_click_away_with_its_drawing_and_its_cost(visitor: Visitor) -> None:
    visitor.sign_in()
    visitor.open("#/design")
    names = [one["name"] for one in visitor.service.http.get("/v1/architectures/gallery").json()["data"]]
    buttons = visitor.page.get_by_role("group", name="Gallery").get_by_role("button")
    expect(buttons).to_have_text(names)
    for name in ("deepar", "attentive"):
        visitor.page.get_by_role("button", name=name, exact=True).click()
        proven = visitor.service.http.post("/v1/architectures/validate", json=document_of(visitor)).json()
        expect(visitor.page.locator("[data-part=proof] .facts")).to_contain_text(f"{proven['parameters']:,}")
        expect(visitor.page.get_by_role("img", name=f"Diagram of {len(proven['blocks'])} blocks")).to_be_visible()
        expect(visitor.page.get_by_role("table", name="Blocks").locator("tbody tr")).to_have_count(len(proven["blocks"]))
        assert f"gallery={name}" in visitor.page.url


def test_what_a_job_cannot_train_is_told_beside_the_button(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    visitor.open(f"#/design?dataset={stock.dataset}&gallery=stacked")
    visitor.page.get_by_label("Horizon").fill("5000")
    visitor.page.get_by_role("button", name="Start training").click()
    expect(visitor.page.get_by_role("alert").filter(has_text="horizon")).to_be_visible()
    visitor.errors = [error for error in visitor.errors if "422" not in error]
