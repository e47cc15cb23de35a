"""Other servers, in an environment of their own, with the weights of the network that ours serves. They answer means alone."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from torch import Tensor, nn

from app.demo.service import free_port
from bench.environment import interpreter
from bench.pinned import Server, running

HERE = Path(__file__).parent
ENVIRONMENT = ".venv-servers"
CONTEXT, HORIZON = 96, 24


class _Means(nn.Module):
    """Values [batch, CONTEXT] to means [batch, HORIZON], in the values' own units; the calendar is left out."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, values: Tensor) -> Tensor:
        scale = values.abs().mean(dim=1, keepdim=True)
        inputs = torch.cat([(values / scale)[:, :, None], values.new_zeros(values.shape[0], CONTEXT, 2)], dim=2)
        raw: Tensor = self.network({"target": inputs}, values.new_zeros(values.shape[0], HORIZON, 2))
        return raw[:, :, 0] * scale


def trace(network: nn.Module, path: Path) -> None:
    """Writes a network as a graph that torch alone can run, without a line of ours."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # what is to come after it does not run in another process without Python
        traced = torch.jit.trace(_Means(network).eval(), torch.rand(2, CONTEXT) + 1)  # type: ignore[no-untyped-call]
        torch.jit.save(torch.jit.freeze(traced), path)


def litserve(traced: Path) -> AbstractContextManager[Server]:
    """LitServe with a traced network."""
    port = free_port()
    return _running([str(HERE / "lit.py"), str(port), str(traced)], port, "/health", {})


def bentoml(traced: Path) -> AbstractContextManager[Server]:
    """BentoML with a traced network."""
    port = free_port()
    command = ["-m", "bentoml", "serve", "bento:Forecasts", "--working-dir", str(HERE), "--host", "127.0.0.1", "--port", str(port)]
    return _running(command, port, "/readyz", {"BENCH_TRACED": str(traced), "BENTOML_DO_NOT_TRACK": "1"})


def _running(arguments: Sequence[str], port: int, ready: str, environment: Mapping[str, str]) -> AbstractContextManager[Server]:
    python = interpreter(ENVIRONMENT, HERE / "requirements.txt")
    return running([str(python), *arguments], port, ready, environment)
