"""Documents of the gallery are the forecasters that they are named after: the same numbers, by hand."""

import numpy as np
import pytest
import scipy.stats
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from app.nets.blocks import Layer
from app.nets.cells import Cell
from app.nets.decoders import SegmentsDecoder
from app.nets.distributions import SMALLEST
from app.spec.facts import PanelFacts
from app.spec.gallery import GALLERY
from app.spec.resolve import resolve_spec
from tests.worker.training.lessons import SEASON, training_of, waves
from worker.training.fit import Training, validation_loss

FACTS = PanelFacts("D", SEASON, ("x",), "y", 6, 200, 200)


def training_for(name: str, context: int) -> Training:
    return training_of(resolve_spec(GALLERY[name].spec, FACTS, horizon=4, context=context), waves())


def load_into(module: nn.LSTM | nn.GRU, layer: int, cell: Cell) -> None:
    """A cell's weights as a layer of torch's own module."""
    weights = cell.state_dict()
    given = {"weight_ih": "input_weight", "weight_hh": "recurrent_weight", "bias_ih": "bias"}
    for name, ours in given.items():
        getattr(module, f"{name}_l{layer}").data.copy_(weights[ours])
    getattr(module, f"bias_hh_l{layer}").data.copy_(weights.get("recurrent_bias", torch.zeros_like(weights["bias"])))


def cells_of(training: Training) -> list[Cell]:
    cells = [module.cell for module in training.network.modules() if isinstance(module, Layer)]
    assert all(isinstance(cell, Cell) for cell in cells)
    return [cell for cell in cells if isinstance(cell, Cell)]


def test_deepar_has_the_one_step_likelihood_of_an_lstm_that_is_fed_with_what_was_observed() -> None:
    training = training_for("deepar", 14)
    by_hand = nn.LSTM(6, 40, num_layers=3, batch_first=True).requires_grad_(requires_grad=False)
    cells = cells_of(training)
    assert len(cells) == 3
    for layer, cell in enumerate(cells):
        load_into(by_hand, layer, cell)
    panel = training.material.panel
    cutoffs = np.array([40, 77])
    expected = []
    for cutoff in cutoffs:
        seen = panel.columns["y"][cutoff - 14 : cutoff]
        size = seen.std()
        known = (panel.columns["y"] - seen.mean()) / size
        scaled = torch.from_numpy(known[cutoff - 14 : cutoff + 4]).float()
        lagged = [torch.from_numpy(known[cutoff - 13 - lag : cutoff + 4 - lag]).float() for lag in (7, 14, 21)]
        age = torch.arange(cutoff - 13, cutoff + 4).log1p()
        states, _ = by_hand(torch.stack([scaled[:-1], *lagged, age, torch.full((17,), np.log(size))], dim=1).float()[None])
        raw = (states[0] @ training.network.decoder.weight.T + training.network.decoder.bias).detach()
        freedom, location, width = 2 + softplus(raw[:, 2]), raw[:, 0], softplus(raw[:, 1]) + SMALLEST
        expected.append(-scipy.stats.t(freedom.numpy(), location.numpy(), width.numpy()).logpdf(scaled[1:].numpy()))
    rows = np.arange(2)
    for is_whole, first in ((True, 0), (False, 13)):
        raw, windows = training.run.look(training.material.source.lesson(cutoffs, is_whole=is_whole), cutoffs, rows)
        loss = training.head.loss(raw, windows.target, windows.observed, windows.scales)
        assert loss.item() == pytest.approx(np.mean([one[first:] for one in expected]), rel=1e-5)
    assert np.isfinite(validation_loss(training) or np.nan)


def test_segrnn_is_a_gru_over_segments_and_a_step_of_another_for_each_segment_to_come() -> None:
    training = training_for("segrnn", 16)
    network = training.network.requires_grad_(requires_grad=False)
    (cell,) = cells_of(training)
    by_hand = nn.GRU(64, 64, batch_first=True).requires_grad_(requires_grad=False)
    load_into(by_hand, 0, cell)
    decoder = network.decoder
    assert isinstance(decoder, SegmentsDecoder)
    decoding = nn.GRU(64, 64, batch_first=True).requires_grad_(requires_grad=False)
    load_into(decoding, 0, decoder.cell)
    windows = training.material.source.batch(np.array([30, 77]))
    target = windows.inputs["target"]
    segments: Tensor = (target - target[:, -1:]).reshape(2, 4, 4)
    state = by_hand(torch.relu(network.blocks[2].linear(segments)))[0][:, -1]  # type: ignore[operator]
    ahead = decoding(decoder.places[:1].expand(2, 1, -1), state[None])[0]
    raw, outlook = network.look(windows.inputs, windows.future)
    torch.testing.assert_close(raw[..., 0], decoder.out(ahead)[:, 0])
    mean = (windows.apart(outlook).together(raw)[..., 0] - windows.shift[:, None]) / windows.scale[:, None]
    torch.testing.assert_close(mean.float(), decoder.out(ahead)[:, 0] + target[:, -1])
