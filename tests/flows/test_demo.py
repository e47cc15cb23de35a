"""The demo shows two forecasts and draws them, with nothing but what is in the package."""

import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.mark.services
@pytest.mark.slow
def test_the_demo_trains_two_networks_and_draws_their_forecasts(tmp_path: Path) -> None:
    home = tmp_path / "home"
    ran = subprocess.run([sys.executable, "-m", "app.cli", "demo", "--home", str(home)], capture_output=True, text=True, timeout=240)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    text = " ".join(ran.stdout.split())
    scores = re.findall(r"held back from training: ([\d.]+), seasonal naive ([\d.]+)", text)
    assert len(scores) == 2
    assert all(float(model) < float(naive) for model, naive in scores)
    assert "epoch 20 of 20" in text
    assert text.count("80 % from") == 2
    assert "make up" in text
    plots = sorted((home / "demo").glob("*.png"))
    assert [plot.name for plot in plots] == ["air_passengers.png", "seattle_temperature.png"]
    for plot in plots:
        content = plot.read_bytes()
        assert content.startswith(PNG)
        width, height = struct.unpack(">II", content[16:24])
        assert width > height > 500
