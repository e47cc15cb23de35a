"""Data sets in the browser: a file is dropped, said what it is, looked at with its gaps, and put into groups of inputs."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import ROOT, Stock, Visitor

pytestmark = [pytest.mark.browser, pytest.mark.services, pytest.mark.slow]

DROP = """([name, text]) => {
    const moved = new DataTransfer();
    moved.items.add(new File([text], name, {type: "text/csv"}));
    document.querySelector(".drop").dispatchEvent(new DragEvent("drop", {dataTransfer: moved, bubbles: true, cancelable: true}));
}"""


def drop(visitor: Visitor, name: str, text: str) -> None:
    visitor.open("#/datasets")
    visitor.page.evaluate(DROP, [name, text])
    visitor.page.get_by_role("button", name="Upload").wait_for()


def test_who_drops_a_file_chooses_its_target_among_its_columns(visitor: Visitor) -> None:
    visitor.sign_in()
    drop(visitor, "seattle weather.csv", (ROOT / "app" / "demo" / "seattle_weather.csv").read_text())
    page = visitor.page
    expect(page.get_by_role("table", name="The first rows")).to_contain_text("2012-01-02")
    expect(page.get_by_role("button", name="Upload")).to_be_focused()
    page.get_by_label("Target").select_option("temp_max")
    page.get_by_label("Name", exact=True).fill("maxima")
    assert visitor.violations() == []
    page.get_by_role("button", name="Upload").click()
    page.get_by_role("heading", name="maxima").wait_for()
    expect(page.locator(".facts").first).to_contain_text("temp_max")
    expect(page.locator(".facts").first).to_contain_text("precipitation, temp_min, wind")


def test_a_table_that_cannot_be_read_is_told_with_its_line_and_can_be_said_otherwise(visitor: Visitor) -> None:
    visitor.sign_in()
    drop(visitor, "shops.csv", "day,a,b\n2024-01-01,1,5\n2024-01-02,2,x5\n2024-01-03,3,7\n")
    visitor.page.get_by_label("Target").select_option("b")
    visitor.page.get_by_role("button", name="Upload").click()
    expect(visitor.page.locator(".drop .error")).to_contain_text("line 3")
    assert visitor.violations() == []
    visitor.page.get_by_label("Target").select_option("a")
    visitor.page.get_by_role("button", name="Upload").click()
    visitor.page.get_by_role("heading", name="shops").wait_for()
    visitor.errors = [error for error in visitor.errors if "422" not in error]


def test_a_packed_file_shows_its_columns_too_and_an_unknown_one_is_refused(visitor: Visitor, tmp_path: Path) -> None:
    visitor.sign_in()
    visitor.open("#/datasets")
    rows = "".join(json.dumps({"at": f"2024-01-{day:02d}", "load": day}) + "\n" for day in range(1, 20))
    (tmp_path / "load.ndjson").write_text(rows)
    (tmp_path / "load.xlsx").write_text(rows)
    chooser = visitor.page.get_by_label("Drop a file here")
    chooser.set_input_files(tmp_path / "load.xlsx")
    expect(visitor.page.locator(".drop .error")).to_contain_text("tables are read as .csv")
    chooser.set_input_files(tmp_path / "load.ndjson")
    expect(visitor.page.locator("select[name=time_column] option")).to_have_text(["as inferred", "at", "load"])
    visitor.page.get_by_role("button", name="Upload").click()
    visitor.page.get_by_role("heading", name="load").wait_for()


def test_what_is_wrong_with_an_upload_is_told_with_its_place(visitor: Visitor) -> None:
    visitor.sign_in()
    days = [day for day in range(1, 29) if day not in (10, 11)]
    rows = "".join(f"2024-01-{day:02d},{day}\n" for day in days) + "2024-01-05,99\n"
    made = visitor.service.upload("ds,y\n" + rows, "with holes")
    visitor.open(f"#/datasets/{made}")
    wrong = visitor.page.locator("[data-part=wrongs]")
    expect(wrong).to_contain_text("2 steps missing, inserted")
    expect(wrong).to_contain_text("series: 2 after 2024-01-09")
    expect(wrong).to_contain_text("1 rows of one time with other values")
    expect(wrong).to_contain_text("line 28")
    expect(visitor.page.get_by_role("table", name="What was inferred")).to_contain_text("freq: D")
    expect(visitor.page.locator("[data-chart=series]")).to_have_attribute("data-missing", "2")


def test_series_are_browsed_with_their_gaps_and_the_address_says_which(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    visitor.open(f"#/datasets/{stock.panel}")
    expect(visitor.page.locator("[data-chart=hill]")).to_have_attribute("data-missing", "13")
    visitor.page.get_by_role("button", name="valley", exact=True).click()
    expect(visitor.page.locator("[data-chart=valley]")).to_have_attribute("data-count", "147")
    visitor.page.reload()
    expect(visitor.page.locator("[data-chart=valley]")).to_be_visible()
    visitor.page.get_by_role("searchbox", name="Series").fill("hill")
    visitor.page.keyboard.press("Enter")
    expect(visitor.page.locator("[data-chart=hill]")).to_be_visible()
    expect(visitor.page.get_by_role("table", name="hill: the last")).to_contain_text("2024-06-08")


def test_columns_are_put_into_groups_that_the_network_reads(visitor: Visitor, stock: Stock) -> None:
    visitor.sign_in()
    visitor.open(f"#/datasets/{stock.panel}")
    page = visitor.page
    page.get_by_role("button", name="Choose inputs").click()
    page.get_by_label("What is known of x").select_option("future")
    page.get_by_label("What is known of z").select_option("past")
    page.get_by_label("What is known of kind").select_option("static")
    page.get_by_label("Group of z").fill("ahead")
    page.get_by_label("day of week").check()
    assert visitor.violations() == []
    page.get_by_role("button", name="Design with these inputs").click()
    expect(page.get_by_role("alert").filter(has_text="z")).to_contain_text('the group "ahead" is known ahead')
    page.get_by_label("Group of z").fill("seen")
    page.get_by_role("button", name="Design with these inputs").click()
    expect(page.locator("#faults")).to_contain_text("The document is valid.")
    document = json.loads(page.get_by_label("Document").input_value())
    assert document["inputs"] == {
        "target": {"columns": ["y"]},
        "ahead": {"columns": ["x"], "known": "future"},
        "seen": {"columns": ["z"]},
        "about": {"columns": ["kind"], "known": "static", "embed": 4},
        "calendar": {"features": ["day_of_week"]},
    }
    assert parse_qs(page.url.split("?")[1])["dataset"] == [stock.panel]
    page.get_by_label("Name", exact=True).fill("grouped")
    page.get_by_label("Horizon").fill("6")
    page.get_by_label("Epochs").fill("1")
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("heading", name="grouped").wait_for()
    visitor.service.wait(re.split(r"[/?]", page.url.split("#/jobs/")[1])[0], status="succeeded")
