"""What the README promises is there: its commands, its settings."""

import re
from pathlib import Path

from app.settings import Settings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def test_every_make_target_of_the_documents_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    pages = [README, (ROOT / "CONTRIBUTING.md").read_text(), (ROOT / ".ci" / "run").read_text()]
    named = {name for page in pages for name in re.findall(r"(?:^|`|exec )make ([a-z-]+)", page, re.MULTILINE)}
    assert named
    assert named <= targets


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    missing = [name for name in Settings.model_fields if f"`BRAIDCAST_{name.upper()}`" not in page]
    assert missing == []


def test_nothing_is_documented_that_is_not_a_setting() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    known = {f"BRAIDCAST_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"`(BRAIDCAST_[A-Z_]+)`", page)) <= known
