"""A decoder is its equations, with as many numbers as were counted."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.nets.build import draw_weights
from app.nets.decoders import Decoder, DirectDecoder, LocalDecoder, NextDecoder, SegmentsDecoder, SequenceDecoder, build_decoder
from app.spec.parse import parse_spec
from app.spec.shapes import decoder_multiply_adds, decoder_parameters

BATCH, WIDTH, HORIZON, KNOWN, OUTPUTS = 3, 5, 7, 2, 4
INPUTS = {"target": {"columns": ["y"]}, "weather": {"columns": ["x", "z"], "known": "future"}}
DOCUMENT: dict[str, Any] = {
    "context": 9,
    "horizon": HORIZON,
    "inputs": INPUTS,
    "network": {"kind": "gru", "units": WIDTH},
    "head": {"kind": "quantiles", "levels": [0.1, 0.4, 0.6, 0.9]},
}


def drawn(decoder: Decoder) -> Decoder:
    torch.manual_seed(0)
    draw_weights(decoder)
    for parameter in decoder.parameters():
        # Biases begin at zero, where a wrong one would not be seen.
        parameter.data.add_(0.1 * torch.randn_like(parameter))
    return decoder.requires_grad_(requires_grad=False)


def example(known: int = KNOWN) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(BATCH, WIDTH, generator=generator), torch.randn(BATCH, HORIZON, known, generator=generator)


@pytest.mark.parametrize(
    ("decoder", "parameters"),
    [
        ({"kind": "direct"}, (WIDTH + HORIZON * KNOWN + 1) * HORIZON * OUTPUTS),
        ({"kind": "forking"}, (WIDTH + HORIZON * KNOWN + 1) * HORIZON * OUTPUTS),
        ({"kind": "recursive"}, (WIDTH + 1) * OUTPUTS),
        ({"kind": "segments", "width": 3}, 3 * WIDTH + 3 * WIDTH * (WIDTH + 3 * KNOWN + WIDTH + 2) + (WIDTH + 1) * 3 * OUTPUTS),
        ({"kind": "sequence", "units": 6}, HORIZON * 6 + (WIDTH + 1) * 6 + 4 * 6 * (6 + KNOWN + 6 + 1) + (6 + 1) * OUTPUTS),
        ({"kind": "sequence", "units": WIDTH, "cell": "gru"}, HORIZON * 5 + 3 * 5 * (5 + KNOWN + 5 + 2) + (5 + 1) * OUTPUTS),
    ],
)
def test_decoders_are_counted_by_their_equations(decoder: dict[str, Any], parameters: int) -> None:
    spec = parse_spec({**DOCUMENT, "decoder": decoder})
    assert decoder_parameters(spec, WIDTH, HORIZON) == parameters
    assert sum(parameter.numel() for parameter in build_decoder(spec, WIDTH).parameters()) == parameters
    runs = {"recursive": 9 + HORIZON - 1, "segments": 3, "sequence": HORIZON}.get(decoder["kind"], 1)
    # Places are looked up; the map to another width is taken once.
    assert 0.5 * parameters < decoder_multiply_adds(spec, WIDTH, HORIZON) <= runs * parameters


def test_a_direct_decoder_is_one_map_of_all_it_reads() -> None:
    decoder, (newest, future) = drawn(DirectDecoder(WIDTH, HORIZON, KNOWN, OUTPUTS)), example()
    assert isinstance(decoder, DirectDecoder)
    by_hand = torch.cat([newest, future.reshape(BATCH, -1)], dim=1) @ decoder.weight.T + decoder.bias
    torch.testing.assert_close(decoder(newest, future), by_hand.view(BATCH, HORIZON, OUTPUTS))


@pytest.mark.parametrize("known", [0, KNOWN])
def test_a_hidden_layer_is_shared_by_all_steps_and_sees_what_is_known_of_its_own(known: int) -> None:
    decoder, (newest, future) = drawn(LocalDecoder(WIDTH, HORIZON, known, OUTPUTS, 6, 2)), example(known)
    assert isinstance(decoder, LocalDecoder)
    contexts = newest @ decoder.context.weight.T + decoder.context.bias
    raw = decoder(newest, future)
    for step in range(HORIZON):
        read = torch.cat([contexts[:, 2 * step : 2 * step + 2], contexts[:, -2:], future[:, step]], dim=1)
        hidden = torch.relu(read @ decoder.hidden.weight.T + decoder.hidden.bias)
        torch.testing.assert_close(raw[:, step], hidden @ decoder.out.weight.T + decoder.out.bias)


def test_a_next_decoder_is_one_map_of_the_state() -> None:
    decoder, (newest, future) = drawn(NextDecoder(WIDTH, OUTPUTS)), example()
    assert isinstance(decoder, NextDecoder)
    torch.testing.assert_close(decoder(newest, future[:, :1]), (newest @ decoder.weight.T + decoder.bias)[:, None])


@pytest.mark.parametrize("steps", [1, 3, 7])
@pytest.mark.parametrize("known", [0, KNOWN])
def test_segments_are_steps_of_a_gru_from_the_newest_state_each_on_its_own(steps: int, known: int) -> None:
    decoder, (newest, future) = drawn(SegmentsDecoder(WIDTH, HORIZON, known, OUTPUTS, steps)), example(known)
    assert isinstance(decoder, SegmentsDecoder)
    weights = decoder.cell.state_dict()
    cell = nn.GRUCell(WIDTH + steps * known, WIDTH)
    cell.load_state_dict(
        {
            "weight_ih": weights["input_weight"],
            "weight_hh": weights["recurrent_weight"],
            "bias_ih": weights["bias"],
            "bias_hh": weights["recurrent_bias"],
        }
    )
    raw = decoder(newest, future)
    for step in range(HORIZON):
        segment, place = divmod(step, steps)
        own = [future[:, one] if one < HORIZON else torch.zeros(BATCH, known) for one in range(segment * steps, (segment + 1) * steps)]
        state = cell(torch.cat([decoder.places[segment].expand(BATCH, -1), *own], dim=1), newest)
        by_hand = decoder.out(state).view(BATCH, steps, OUTPUTS)[:, place]
        torch.testing.assert_close(raw[:, step], by_hand)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("units", [WIDTH, 6])
def test_a_sequence_is_decoded_by_a_cell_that_begins_at_the_newest_state(kind: str, units: int) -> None:
    decoder, (newest, future) = drawn(SequenceDecoder(WIDTH, HORIZON, KNOWN, OUTPUTS, units, kind)), example()
    assert isinstance(decoder, SequenceDecoder)
    weights = decoder.cell.state_dict()
    cell = nn.LSTMCell(units + KNOWN, units) if kind == "lstm" else nn.GRUCell(units + KNOWN, units)
    hidden_bias = weights["recurrent_bias"] if kind == "gru" else torch.zeros(4 * units)
    cell.load_state_dict(
        {"weight_ih": weights["input_weight"], "weight_hh": weights["recurrent_weight"], "bias_ih": weights["bias"], "bias_hh": hidden_bias}
    )
    hidden = newest if units == WIDTH else newest @ decoder.begin.weight.T + decoder.begin.bias  # type: ignore[union-attr]
    memory = torch.zeros(BATCH, units)
    raw = decoder(newest, future)
    for step in range(HORIZON):
        read = torch.cat([decoder.places[step].expand(BATCH, -1), future[:, step]], dim=1)
        if isinstance(cell, nn.LSTMCell):
            hidden, memory = cell(read, (hidden, memory))
        else:
            hidden = cell(read, hidden)
        torch.testing.assert_close(raw[:, step], decoder.out(hidden))
