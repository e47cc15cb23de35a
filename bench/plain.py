"""What is a forecast service held to? A bare echo, which is the floor, and an endpoint with torch in it.

Run as `uvicorn bench.plain:app`; BENCH_WEIGHTS names the artifact whose network the endpoint runs.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import torch
from fastapi import Body, FastAPI
from pydantic import BaseModel

from app.forecasting.checkpoint import load

app = FastAPI()


class History(BaseModel):
    """Values of one series."""

    target: list[float]


@app.post("/echo")
async def echo(body: Annotated[dict[str, object], Body()]) -> dict[str, object]:
    """The body."""
    return body


def _endpoint() -> None:
    network = load(Path(os.environ["BENCH_WEIGHTS"]).read_bytes()).network
    torch.set_num_threads(1)

    @app.post("/forecast")
    def forecast(body: History) -> dict[str, list[float]]:
        values = torch.tensor(body.target)[-96:]
        scale = values.abs().mean()
        inputs = {name: torch.zeros(1, 96, 3) for name in ("target",)}
        inputs["target"][0, :, 0] = values / scale
        with torch.no_grad():
            raw = network(inputs, torch.zeros(1, 24, 2))
        return {"mean": (raw[0, :, 0] * scale).tolist()}


if "BENCH_WEIGHTS" in os.environ:
    _endpoint()
