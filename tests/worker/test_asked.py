"""What a request asks of its worker is what it gets."""

from typing import Any

import pytest
import torch

from app.errors import JobError
from app.spec.parse import parse_spec
from worker.asked import device_of, season_of, threads_of


@pytest.mark.parametrize(("units", "batch_size", "threads"), [(50, 32, 1), (64, 256, 8), (512, 32, 8)])
def test_a_second_thread_is_for_networks_that_are_worth_it(units: int, batch_size: int, threads: int) -> None:
    blocks = [{"kind": "lstm", "units": units}, {"kind": "lstm", "units": units}]
    document = {"context": 96, "horizon": 24, "network": {"kind": "stack", "blocks": blocks}, "training": {"batch_size": batch_size}}
    assert threads_of(parse_spec(document), 8) == threads


def test_a_season_is_the_requests_or_the_first_of_several_or_the_datasets() -> None:
    requests: list[dict[str, Any]] = [{}, {"season": 3}, {"season": [24, 168]}, {"season": []}]
    assert [season_of(request, 7) for request in requests] == [7, 3, 24, 7]


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU, so that asking for one is no mistake")
def test_a_gpu_that_is_not_there_is_told_and_nobody_else_minds() -> None:
    requests: list[dict[str, Any]] = [{}, {"resources": {"device": "auto"}}, {"resources": {"device": "cpu"}}]
    assert [device_of(request).type for request in requests] == ["cpu"] * 3
    with pytest.raises(JobError, match="this worker has no GPU"):
        device_of({"resources": {"device": "gpu"}})
