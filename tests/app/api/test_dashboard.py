"""The dashboard's files: answered to everybody, under a strict policy, and nothing beside them."""

import hashlib
import re

import pytest

from app.dashboard.files import FOLDER, static_files
from tests.app.api.conftest import Api, problem_of


def test_the_page_and_all_its_files_are_answered_without_a_key(api: Api) -> None:
    del api.client.headers["authorization"]
    for name, file in static_files().items():
        answer = api.client.get(f"/dashboard/{name}")
        assert answer.content == file.content
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert api.client.get(f"/dashboard/{name}", headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert api.client.get("/").text.startswith("<!doctype html>")


def test_the_page_asks_for_every_module_at_once_under_a_name_that_may_be_kept_for_ever(api: Api) -> None:
    page = api.client.get("/")
    assert page.headers["cache-control"] == "no-cache"
    asked = re.findall(r'<link rel="modulepreload" href="/dashboard/([0-9a-f]{32})/([^"]+)">', page.text)
    assert [name for _, name in asked] == sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("*.js"))
    assert len({version for version, _ in asked}) == 1
    addresses = re.findall(r'"(/dashboard/[^"]+)"', page.text)
    assert len(addresses) > len(asked)
    for address in addresses:
        answer = api.client.get(address)
        assert answer.content == static_files()[address.split("/", 3)[3]].content
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    problem_of(api.client.get(f"/dashboard/{'0' * 32}/main.js"), 404)


@pytest.mark.parametrize("name", ["../files.py", "%2e%2e/files.py", "..%2ffiles.py", "/etc/passwd", "vendor", "nothing.js"])
def test_nothing_else_is_answered(api: Api, name: str) -> None:
    problem_of(api.client.get(f"/dashboard/{name}"), 404)


def test_the_page_has_no_script_or_style_in_it_and_nothing_from_elsewhere() -> None:
    for path in (path for path in FOLDER.rglob("*") if path.is_file() and "vendor" not in path.parts):
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://", text), path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text), path
        if path.suffix == ".html":
            assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]*src=)", text), path


def test_what_is_imported_is_there() -> None:
    for path in FOLDER.rglob("*.js"):
        for name in re.findall(r'^(?:import|export) .*from "(\.[^"]+)";$', path.read_text(), re.MULTILINE):
            assert (path.parent / name).is_file(), (path, name)


def test_what_others_wrote_is_as_they_wrote_it() -> None:
    lines = (FOLDER / "vendor" / "uPlot.sha256").read_text().splitlines()
    assert len(lines) == 3
    for line in lines:
        digest, name = line.split()
        assert hashlib.sha256((FOLDER / "vendor" / name).read_bytes()).hexdigest() == digest
