"""Laws of every network that a document can describe, whatever blocks it is made of: five hundred documents, and all kinds among them."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor

from app.forecasting.checkpoint import dump, load
from app.forecasting.forecaster import Forecaster
from app.nets.build import Network, build, build_head
from app.series.scaling import CovariateScaling
from app.spec.blocks import ALL_KINDS, Model, every
from app.spec.compile import compile_spec
from app.spec.forecaster import ForecasterSpec
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from tests.networks import BATCH, example
from tests.strategies_specs import CELLS, INPUTS, documents, read_all


def built(spec: ForecasterSpec, seed: int = 0) -> Network:
    network = build(spec)
    torch.manual_seed(seed)
    network.initialise()
    return network.eval()


def check(document: dict[str, Any]) -> ForecasterSpec:
    """A document is counted, built, run, and learns."""
    spec = parse_spec(read_all(document))
    compiled = compile_spec(spec, NetworkLimits())
    network = built(spec)
    assert sum(parameter.numel() for parameter in network.parameters()) == compiled.parameters
    raw = network(*example(spec))
    observed = torch.ones(raw.shape[:2], dtype=torch.bool)
    loss = build_head(spec).loss(raw, torch.ones(raw.shape[:2]), observed, torch.ones(len(raw)))
    torch.autograd.backward(loss)
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    assert gradients
    assert all(gradient.isfinite().all() for gradient in gradients)
    return spec


@pytest.mark.no_cover
def test_five_hundred_documents_of_all_kinds_are_counted_built_run_and_learn() -> None:
    met: set[type[object]] = set()

    @settings(max_examples=500)
    @given(documents())
    def law(document: dict[str, Any]) -> None:
        met.update(type(block) for block in every(check(document).network))

    law()
    for cell in CELLS:
        spec = check({"context": 6, "horizon": 2, "inputs": INPUTS, "network": {**cell, "units": 3}})
        met.update(type(block) for block in every(spec.network))
    # A stored model is no kind that a document alone can have; tests of the API have it.
    assert met == set(ALL_KINDS) - {Model}


@pytest.mark.no_cover
@given(documents())
def test_permuting_the_batch_permutes_the_answer(document: dict[str, Any]) -> None:
    spec = parse_spec(read_all(document))
    network = built(spec)
    inputs, future = example(spec)
    order = torch.tensor([2, 0, 1])
    permuted = network({name: values[order] for name, values in inputs.items()}, future[order])
    torch.testing.assert_close(permuted, network(inputs, future)[order], atol=1e-5, rtol=1e-4)
    assert len(permuted) == BATCH


@pytest.mark.no_cover
@given(documents(carries_state=True))
def test_what_a_network_that_carries_its_state_gives_ignores_all_that_comes_later(document: dict[str, Any]) -> None:
    spec = parse_spec(read_all({**document, "context": 8, "decoder": {"kind": "forking"}}))
    network = built(spec)
    inputs, _ = example(spec)
    changed = {name: _moved(values, spec.inputs[name].known == "static") for name, values in inputs.items()}
    before, after = network.encode(inputs)[0], network.encode(changed)[0]
    torch.testing.assert_close(after[:, :5], before[:, :5])


def _moved(values: Tensor, is_static: bool) -> Tensor:
    later = values.clone()
    later[:, 5:] += 0.0 if is_static else 1.0
    return later


@pytest.mark.no_cover
@given(documents())
def test_the_same_seed_draws_the_same_numbers_and_bytes_give_the_network_back(document: dict[str, Any]) -> None:
    spec = parse_spec(read_all(document))
    network, again = built(spec, 3), built(spec, 3)
    inputs, future = example(spec)
    assert torch.equal(network(inputs, future), again(inputs, future))
    forecaster = Forecaster(spec, network, "D", 7, "naive", CovariateScaling({}, {}))
    loaded = load(dump(forecaster)).network
    assert all(torch.equal(weight, loaded.state_dict()[name]) for name, weight in network.state_dict().items())
    torch.testing.assert_close(loaded(inputs, future), network(inputs, future))
