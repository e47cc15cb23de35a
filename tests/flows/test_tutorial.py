"""The README's tutorial, run as it is written, against a service that was started as it says."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.flows.service import Service

ROOT = Path(__file__).parents[2]


def tutorial() -> str:
    """All shell blocks of the tutorial, one after another."""
    section = (ROOT / "README.md").read_text().split("## Tutorial")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))


@pytest.mark.services
@pytest.mark.slow
def test_the_tutorial_runs_as_written(service: Service, tmp_path: Path) -> None:
    folder = tmp_path / "reader"
    (folder / "app" / "demo").mkdir(parents=True)
    shutil.copy(ROOT / "app" / "demo" / "air_passengers.csv", folder / "app" / "demo")
    (folder / "var").symlink_to(service.home)
    script = tutorial().replace("127.0.0.1:8123", f"127.0.0.1:{service.port}")
    ran = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert '"0.1":[' in ran.stdout
    assert '"seasonal_naive"' in ran.stdout
