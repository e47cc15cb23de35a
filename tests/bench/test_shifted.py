"""The network that the default is compared with differs in which state a step is decoded from, and in nothing else."""

from typing import Any

import torch

from app.nets.build import build
from app.spec.parse import parse_spec
from bench.shifted import shifted

HORIZON = 4
DOCUMENT: dict[str, Any] = {
    "context": 12,
    "horizon": HORIZON,
    "inputs": {"target": {"columns": ["y"], "lags": [2]}},
    "network": {"kind": "lstm", "units": 5},
}


def test_each_step_sees_one_observation_more_than_the_one_before_and_the_last_what_the_default_sees() -> None:
    networks = [build(parse_spec(DOCUMENT)), shifted(parse_spec(DOCUMENT))]
    for network in networks:
        torch.manual_seed(0)
        network.initialise()
    inputs, future = torch.randn(3, 12, 2), torch.randn(3, HORIZON, 1)
    newest, other = (network({"target": inputs}, future) for network in networks)
    torch.testing.assert_close(newest[:, -1], other[:, -1])
    for unseen in range(1, HORIZON):
        changed = inputs.clone()
        changed[:, -unseen:] += 1.0
        moved = networks[1]({"target": changed}, future) != other
        assert moved.any(dim=(0, 2)).tolist() == [step >= HORIZON - unseen for step in range(HORIZON)]
