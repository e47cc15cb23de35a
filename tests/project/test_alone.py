"""What measures time runs by itself after the others, from one folder, so that the rest need not be collected again."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_what_runs_alone_is_where_make_check_looks_for_it() -> None:
    marked = [path for path in (ROOT / "tests").rglob("*.py") if re.search(r"pytest\.mark\.alone\b", path.read_text())]
    found = re.search(r'pytest (\S+) -m "alone', (ROOT / "Makefile").read_text())
    assert found
    assert marked
    assert all((ROOT / found[1]) in path.parents for path in marked)
