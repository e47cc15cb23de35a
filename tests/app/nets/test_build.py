"""Any description that compiles builds the network that was counted; taps, merges and dropout do what they say."""

from typing import Any

import pytest
import torch
from hypothesis import given
from torch import Tensor

from app.nets.build import Network, build
from app.spec.compile import compile_spec
from app.spec.forecaster import ForecasterSpec
from app.spec.gallery import GALLERY
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from app.spec.shapes import head_width
from tests.networks import BATCH, example
from tests.strategies_specs import documents, is_whole, read_all


def built(spec: ForecasterSpec) -> Network:
    network = build(spec)
    torch.manual_seed(0)
    network.initialise()
    return network.eval()


@pytest.mark.no_cover
@given(documents())
def test_what_is_built_has_the_shapes_and_the_parameters_that_were_counted(document: dict[str, Any]) -> None:
    spec = parse_spec(read_all(document))
    compiled = compile_spec(spec, NetworkLimits())
    network = built(spec)
    assert sum(parameter.numel() for parameter in network.parameters()) == compiled.parameters
    raw = network(*example(spec))
    assert raw.shape == (BATCH, 1 if spec.decoder.kind == "recursive" else spec.horizon, head_width(spec.head))
    assert raw.isfinite().all()


@pytest.mark.no_cover
@given(documents(carries_state=True))
def test_a_body_run_in_two_halves_equals_the_whole(document: dict[str, Any]) -> None:
    spec = parse_spec(read_all({**document, "context": 8}))
    network = built(spec)
    inputs, _ = example(spec)
    whole, last = network.encode(inputs)
    first, between = network.encode({name: values[:, :3] for name, values in inputs.items()})
    second, end = network.encode({name: values[:, 3:] for name, values in inputs.items()}, between)
    joined = torch.cat([first, second], dim=1)
    is_newest_alone = is_whole(document["network"]) and document["decoder"]["kind"] not in {"forking", "recursive"}
    torch.testing.assert_close(joined[:, -1:] if is_newest_alone else joined, whole)
    assert end.keys() == last.keys()
    for place, state in last.items():
        torch.testing.assert_close(end[place], state)


@pytest.mark.parametrize(("name", "parameters"), [("stacked", 20_902), ("connected", 20_901)])
def test_the_gallery_builds_as_many_parameters_as_the_textbook_has(name: str, parameters: int) -> None:
    network = built(GALLERY[name].spec.model_copy(update={"horizon": 1}))
    assert sum(parameter.numel() for parameter in network.parameters()) == parameters


def test_what_is_static_stands_for_its_words_at_every_step_and_for_unknown_ones_with_zeros() -> None:
    shop = {"columns": ["region"], "known": "static", "embed": 3, "categories": {"region": ["north", "south"]}}
    spec = parse_spec({"context": 4, "horizon": 1, "inputs": {"shop": shop}, "network": {"kind": "activation", "function": "tanh"}})
    network = built(spec)
    given, _ = network.encode({"shop": torch.tensor([[[2.0]], [[0.0]]]).expand(-1, 4, -1)})
    table = network.state_dict()["embeddings.shop.tables.0.weight"]
    assert table.shape == (3, 3)
    torch.testing.assert_close(given[0], table[2].tanh().expand(4, 3))
    assert (given[1] == 0).all()


def test_every_horizon_step_sees_the_newest_observation() -> None:
    spec = GALLERY["stacked"].spec.model_copy(update={"horizon": 6})
    network = built(spec)
    inputs, future = example(spec)
    changed = {name: values.clone() for name, values in inputs.items()}
    changed["target"][:, -1] += 1.0
    assert ((network(changed, future) - network(inputs, future)).abs() > 1e-6).all()


def test_what_is_known_ahead_moves_the_forecast() -> None:
    document = {"context": 4, "horizon": 3, "inputs": {"a": {"columns": ["y"]}, "b": {"columns": ["x"], "known": "future"}}}
    spec = parse_spec({**document, "network": {"kind": "lstm", "units": 4}})
    network = built(spec)
    inputs, future = example(spec)
    assert not torch.allclose(network(inputs, future), network(inputs, future + 1.0))


def test_branches_are_put_side_by_side_or_added() -> None:
    def network(merge: str) -> Network:
        dense = [{"kind": "dense", "units": 2, "name": name, "from": "target"} for name in ("a", "b")]
        return built(parse_spec({"context": 4, "horizon": 1, "network": {"kind": "connect", "branches": dense, "merge": merge}}))

    inputs = {"target": torch.randn(BATCH, 4, 1)}
    beside, added = network("concat"), network("sum")
    added.body.load_state_dict(beside.body.state_dict())
    features, _ = beside.encode(inputs)
    total, _ = added.encode(inputs)
    assert features.shape == (BATCH, 4, 4)
    torch.testing.assert_close(total, features[..., :2] + features[..., 2:])


def test_dropout_drops_the_same_units_at_every_step_and_none_when_not_training() -> None:
    network = built(
        parse_spec({"context": 50, "horizon": 1, "network": {"kind": "dropout", "rate": 0.5}, "inputs": {"a": {"columns": list("ystuvw")}}})
    )
    inputs = {"a": torch.ones(200, 50, 6)}
    assert torch.equal(network.encode(inputs)[0], inputs["a"])
    thinned, _ = network.train().encode(inputs)
    assert torch.equal(thinned, thinned[:, :1].expand_as(thinned))
    assert set(thinned.flatten().tolist()) == {0.0, 2.0}
    assert 0.4 < (thinned == 0).float().mean() < 0.6


def test_the_same_seed_draws_the_same_weights() -> None:
    first, second = built(GALLERY["connected"].spec), built(GALLERY["connected"].spec)
    assert all(torch.equal(weight, second.state_dict()[name]) for name, weight in first.state_dict().items())


def features_of(network: dict[str, Any], inputs: Tensor) -> Tensor:
    """What a network makes of one input."""
    spec = parse_spec(
        {"context": inputs.shape[1], "horizon": 1, "inputs": {"a": {"columns": list("yxz")[: inputs.shape[2]]}}, "network": network}
    )
    compile_spec(spec, NetworkLimits())
    features, _ = built(spec).encode({"a": inputs})
    return features


HALVES = [{"kind": "activation", "function": "relu"}, {"kind": "activation", "function": "tanh"}]


@pytest.mark.parametrize(
    ("merge", "by_hand"),
    [
        ("sum", lambda x: x.relu() + x.tanh()),
        ("mean", lambda x: (x.relu() + x.tanh()) / 2),
        ("max", lambda x: torch.maximum(x.relu(), x.tanh())),
        ("product", lambda x: x.relu() * x.tanh()),
        ("concat", lambda x: torch.cat([x.relu(), x.tanh()], dim=2)),
    ],
)
def test_a_connection_merges_its_branches_as_it_says(merge: str, by_hand: Any) -> None:
    values = torch.randn(BATCH, 5, 3)
    torch.testing.assert_close(features_of({"kind": "connect", "branches": HALVES, "merge": merge}, values), by_hand(values))


def test_a_gate_gives_a_mean_whose_weights_sum_to_one() -> None:
    values = torch.randn(BATCH, 5, 3)
    mixed = features_of({"kind": "connect", "branches": HALVES, "merge": "gate"}, values)
    low, high = torch.minimum(values.relu(), values.tanh()), torch.maximum(values.relu(), values.tanh())
    assert (mixed >= low - 1e-6).all()
    assert (mixed <= high + 1e-6).all()


def test_a_stack_repeats_its_blocks_with_weights_of_their_own() -> None:
    spec = parse_spec({"context": 4, "horizon": 1, "network": {"kind": "stack", "repeat": 3, "blocks": [{"kind": "gru", "units": 4}]}})
    network = built(spec)
    assert len(network.blocks) == 3
    assert [row.kind for row in compile_spec(spec, NetworkLimits()).blocks] == ["gru", "gru", "gru", "direct"]
    weights = [network.state_dict()[f"body.blocks.{number}.cell.recurrent_weight"] for number in range(3)]
    assert not torch.equal(weights[0], weights[1])


def test_a_stack_puts_what_a_block_read_beside_what_it_gives_or_adds_it() -> None:
    values = torch.randn(BATCH, 5, 3)
    relu = HALVES[0]
    dense = features_of({"kind": "stack", "skip": "dense", "blocks": [relu, relu]}, values)
    once = torch.cat([values, values.relu()], dim=2)
    torch.testing.assert_close(dense, torch.cat([once, once.relu()], dim=2))
    added = features_of({"kind": "stack", "skip": "residual", "blocks": [relu, relu]}, values)
    torch.testing.assert_close(added, (values + values.relu()) + (values + values.relu()).relu())
