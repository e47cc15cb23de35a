"""The habits of the codebase that a tool can count."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES_AT_MOST = 300
FUNCTIONS_AT_MOST = 60
TOP_LEVEL = {
    "app", "worker", "tests", "migrations", "bench", "docs", "pyproject.toml", "docker-compose.yml", "Dockerfile", "Makefile", "README.md",
    "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", ".ci", ".dockerignore", ".gitignore",
}  # fmt: skip


def tracked() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [ROOT / name for name in names if (ROOT / name).exists()]


def is_ours(path: Path) -> bool:
    """Whether we wrote it, and it is code."""
    return path.suffix in {".py", ".js", ".css"} and "vendor" not in path.parts


def functions(path: Path) -> list[tuple[str, int]]:
    tree = ast.parse(path.read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [(node.name, (node.end_lineno or node.lineno) - node.lineno + 1) for node in found]


def test_top_level_holds_what_was_agreed() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= TOP_LEVEL


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text().splitlines()) for path in tracked() if is_ours(path)}
    assert {name: length for name, length in lengths.items() if length > FILES_AT_MOST} == {}


def test_no_function_is_longer_than_a_screen() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{name} has {length} lines"
        for path in tracked()
        if path.suffix == ".py"
        for name, length in functions(path)
        if length > FUNCTIONS_AT_MOST
    ]
    assert long == []


def test_architecture_fits_in_150_lines() -> None:
    assert len((ROOT / "ARCHITECTURE.md").read_text().splitlines()) <= 150


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = sorted(int(path.name[:4]) for path in (ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("module", ["app.spec.compile", "app.spec.gallery", "app.spec.resolve"])
def test_a_description_is_proven_without_torch(module: str) -> None:
    code = f"import sys, {module}; assert not {{'torch', 'numpy', 'polars', 'sqlalchemy', 'fastapi'}} & set(sys.modules), 'heavy'"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_worker_that_trains_needs_neither_searches_nor_onnxruntime() -> None:
    code = "import sys, worker.celery; assert not {'optuna', 'onnx', 'onnxruntime'} & set(sys.modules), 'heavy'"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_nothing_of_ours_unpickles() -> None:
    names = ("pickle", "joblib", "cloudpickle")
    imports = [
        (path.name, alias.name)
        for path in tracked()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in {"app", "worker", "migrations"}
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name.split(".")[0] in names
    ]
    assert imports == []
