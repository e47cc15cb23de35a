"""Documents that can be built, drawn at random: any block, to some depth, with names and taps."""

from collections.abc import Callable
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from app.errors import SpecError
from app.spec.compile import compile_spec
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec

INPUTS: dict[str, dict[str, Any]] = {
    "target": {"columns": ["y"]},
    "weather": {"columns": ["x", "z"], "known": "future"},
    "calendar": {"features": ["day_of_week", "month_of_year"], "lags": [2, 5]},
    "shop": {"columns": ["region", "size"], "known": "static", "embed": 2, "categories": {"region": ["north", "south"], "size": ["1"]}},
}
RATES = st.sampled_from([0.0, 0.25])
UNITS = st.integers(1, 5)


CELLS: list[dict[str, Any]] = [
    {"kind": "elman", "activation": "relu"},
    {"kind": "elman"},
    {"kind": "lstm"},
    {"kind": "lstm", "peepholes": True, "init": "chrono"},
    {"kind": "lstm", "projection": 1},
    {"kind": "gru", "reset": "after", "init": "chrono"},
    {"kind": "gru", "reset": "before"},
    {"kind": "min_gru"},
    {"kind": "min_lstm"},
    {"kind": "ind_rnn", "activation": "tanh"},
    {"kind": "slstm"},
]
OPTIONS: list[dict[str, Any]] = [
    {},
    {},
    {"dropout": 0.25},
    {"direction": "both"},
    {"direction": "backward", "layer_norm": True},
    {"dilation": 2},
    {"zoneout": 0.1, "recurrent_dropout": 0.2},
    {"l1": 0.001, "l2": 0.01},
]
PENALTIES = st.sampled_from([0.0, 0.01])


def _cell(kind: dict[str, Any], options: dict[str, Any], units: int) -> dict[str, Any]:
    return {**kind, **options, "units": max(units, 2)}


def _leaves(units: st.SearchStrategy[int]) -> st.SearchStrategy[dict[str, Any]]:
    activations = st.sampled_from(["linear", "tanh", "gelu", "relu"])
    even, heads = units.map(lambda number: 2 * number), st.sampled_from([1, 2])
    return st.one_of(
        st.builds(_cell, st.sampled_from(CELLS), st.sampled_from(OPTIONS), units),
        st.fixed_dictionaries({"kind": st.just("dense"), "units": units, "activation": activations, "l2": PENALTIES}),
        st.fixed_dictionaries(
            {"kind": st.just("conv"), "units": units, "width": st.integers(1, 4), "causal": st.booleans(), "l1": PENALTIES}
        ),
        st.fixed_dictionaries({"kind": st.just("attention"), "units": even, "heads": heads}),
        st.sampled_from([{"kind": "dropout", "rate": 0.25}, {"kind": "norm"}, {"kind": "activation", "function": "sigmoid"}]),
        st.sampled_from([{"kind": "lags", "steps": [1, 2]}, {"kind": "lags", "steps": [2]}]),
    )


def _combined(inside: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    stacks = st.builds(
        lambda blocks, repeat, skip: {"kind": "stack", "blocks": blocks, "repeat": repeat, "skip": skip},
        st.lists(inside, min_size=1, max_size=3),
        st.integers(1, 2),
        st.sampled_from(["none", "dense"]),
    )
    branches = st.lists(inside, min_size=2, max_size=3).map(lambda blocks: {"kind": "connect", "branches": blocks, "merge": "concat"})
    return st.one_of(stacks, branches)


def _tapped(network: dict[str, Any], source: str, merge: str) -> dict[str, Any]:
    """The network beside two merged branches that read an input, and a block that taps the network's output."""
    total = {
        "kind": "connect",
        "merge": merge,
        "branches": [{"kind": "gru", "units": 3, "from": source}, {"kind": "dense", "units": 3, "from": source}],
    }
    both = {"kind": "connect", "branches": [{**network, "name": "main"}, total, {"kind": "lstm", "units": 2, "from": "main"}]}
    return {"kind": "stack", "blocks": [both, {"kind": "dense", "units": 4}]}


def _shared(network: dict[str, Any], source: str, merge: str) -> dict[str, Any]:
    """The network beside a layer that reads it, and once more reads an input of the same width; and two branches of the same weights."""
    first = {"kind": "stack", "blocks": [{"kind": "dense", "units": 3, "from": source}, {"kind": "gru", "units": 4, "name": "first"}]}
    again = {"kind": "stack", "blocks": [{"kind": "dense", "units": 3, "from": source}, {"kind": "share", "of": "first"}]}
    twins = [{"kind": "lstm", "units": 2, "from": "weather"}, {"kind": "lstm", "units": 2, "from": "weather"}]
    even = {"kind": "connect", "merge": merge, "share_weights": True, "branches": twins}
    return {"kind": "connect", "branches": [network, first, again, even]}


WHOLES: list[dict[str, Any]] = [
    {"kind": "last"},
    {"kind": "mean"},
    {"kind": "max"},
    {"kind": "attend", "units": 3},
    {"kind": "elman", "units": 3, "output": "last"},
    {"kind": "autoencoder", "encoder": {"kind": "gru", "units": 3}, "code": 2, "decoder": {"kind": "lstm", "units": 3}},
]


def _summed_up(network: dict[str, Any], whole: dict[str, Any], others: list[dict[str, Any]]) -> dict[str, Any]:
    """The network as a vector, and a dense layer of it; beside other vectors that it is put together with."""
    ends = [{"kind": "stack", "blocks": [network, whole]}, *({**one, "from": "target"} for one in others)]
    both = {"kind": "connect", "branches": ends} if others else ends[0]
    return {"kind": "stack", "blocks": [both, {"kind": "dense", "units": 3, "activation": "tanh"}]}


def _in_pieces(network: dict[str, Any], whole: dict[str, Any]) -> dict[str, Any]:
    """The network on pieces of two steps, as a vector."""
    return {"kind": "stack", "blocks": [{"kind": "segment", "width": 2}, network, whole]}


APART: list[dict[str, Any]] = [
    {"kind": "instance_norm"},
    {"kind": "instance_norm", "by": "mean"},
    {"kind": "instance_norm", "by": "revin"},
    {"kind": "smooth", "form": "additive"},
    {"kind": "smooth", "form": "additive", "seasons": [2], "series": 2},
    {"kind": "smooth", "form": "additive", "seasons": [2, 3]},
]


def _apart(network: dict[str, Any], block: dict[str, Any]) -> dict[str, Any]:
    """The network behind a block that takes the target apart."""
    return {"kind": "stack", "blocks": [{**block, "from": "target"}, network]}


def networks(*, carries_state: bool = False) -> st.SearchStrategy[dict[str, Any]]:
    """Networks of all kinds of block, or of those that can be run in pieces."""
    plain = st.recursive(_leaves(UNITS), _combined, max_leaves=6)
    tapped: Callable[[dict[str, Any], str, str], dict[str, Any]] = _tapped
    merges = st.sampled_from(["sum", "mean", "max", "product", "gate", "attention"])
    sources = st.sampled_from(["weather", "calendar"])
    apart = st.builds(_apart, plain, st.sampled_from(APART))
    summed = st.builds(_summed_up, plain, st.sampled_from(WHOLES), st.lists(st.sampled_from(WHOLES), max_size=2))
    found = st.one_of(
        plain,
        st.builds(tapped, plain, sources, merges),
        st.builds(_shared, plain, sources, merges),
        summed,
        apart,
        st.builds(_in_pieces, plain, st.sampled_from(WHOLES[:4])),
    )
    return found.filter(_carries_state) if carries_state else found


def _carries_state(network: dict[str, Any]) -> bool:
    looks_ahead = network.get("direction", "forward") != "forward" or not network.get("causal", True) or network["kind"] == "attention"
    looks_ahead = looks_ahead or network["kind"] in {"instance_norm", "segment"}
    return not looks_ahead and all(_carries_state(inside) for inside in network.get("blocks", network.get("branches", [])))


def is_whole(network: dict[str, Any]) -> bool:
    """Whether a network gives one vector for all that it reads, rather than a sequence."""
    inside = network.get("blocks", network.get("branches", []))
    kinds = {whole["kind"] for whole in WHOLES} - {"elman"}
    return network["kind"] in kinds or network.get("output") == "last" or any(is_whole(one) for one in inside)


@st.composite
def documents(draw: st.DrawFn, *, carries_state: bool = False) -> dict[str, Any]:
    """Whole documents with context and horizon."""
    horizon, scaling = draw(st.integers(1, 5)), draw(st.sampled_from(["mean_abs", "standard", "log", "standard_log", "none"]))
    network = draw(networks(carries_state=carries_state))
    is_apart = network.get("blocks", [network])[0]["kind"] in {"instance_norm", "smooth"}
    decoder = draw(_decoders(horizon, carries_state=_carries_state(network), is_apart=is_apart))
    is_positive = scaling in {"mean_abs", "none"} and not is_apart
    sampled = [head for head in SAMPLED if not scaling.endswith("log") or head["kind"] != "student_t"]
    heads = [*sampled, *(POSITIVE if is_positive else []), *([] if decoder["kind"] == "recursive" else OF_ONE)]
    head = draw(st.sampled_from(heads))
    is_counted = decoder["kind"] != "recursive" and not is_apart and head not in POSITIVE
    baseline: dict[str, Any] = draw(st.sampled_from([{}, {"baseline": "last"}, {"baseline": "season", "season": 3}])) if is_counted else {}
    document = {
        "context": draw(st.sampled_from([6, 8, 10]) if "segment" in str(network) else st.integers(3, 12)),
        "horizon": horizon,
        "inputs": {**INPUTS, "calendar": {**INPUTS["calendar"], "scale": scaling != "none", "age": draw(st.booleans())}},
        "scaling": {"target": scaling, "over": draw(st.sampled_from(["window", "series"])) if scaling != "none" else "window", **baseline},
        "network": network,
        "decoder": decoder,
        "head": head,
        "training": draw(trainings()),
    }
    assume(_is_small(document))
    return document


def _is_small(document: dict[str, Any]) -> bool:
    try:
        compile_spec(parse_spec(document), NetworkLimits(parameters=1_000_000))
    except SpecError as error:
        return all(fault.code != "too_large" for fault in error.faults)
    return True


OF_ONE: list[dict[str, Any]] = [
    {"kind": "point", "loss": "mae"},
    {"kind": "point", "loss": "huber", "delta": 0.5},
    {"kind": "quantiles", "levels": [0.9]},
]
"""Heads that have nothing to draw samples from."""

SAMPLED: list[dict[str, Any]] = [
    {"kind": "quantiles", "levels": [0.1, 0.5, 0.9]},
    {"kind": "student_t"},
    {"kind": "normal"},
    {"kind": "mixture", "components": 2},
]
POSITIVE: list[dict[str, Any]] = [{"kind": "poisson"}, {"kind": "negative_binomial"}, {"kind": "tweedie", "power": 1.3}]


def _decoders(horizon: int, *, carries_state: bool, is_apart: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Decoders of all kinds, or of those that learn at the cutoff alone."""
    sequences = st.fixed_dictionaries({"kind": st.just("sequence"), "units": UNITS, "cell": st.sampled_from(["lstm", "gru"])})
    segments = st.fixed_dictionaries({"kind": st.just("segments"), "width": st.integers(1, horizon)})
    everywhere = st.sampled_from(
        [{"kind": "forking"}, {"kind": "forking", "units": 9}, *([] if is_apart else [{"kind": "recursive", "paths": 7}])]
    )
    direct = st.sampled_from([{"kind": "direct"}, {"kind": "direct", "lags": [1, 4]}, {"kind": "direct", "units": 17, "lags": [2]}])
    return st.one_of(direct, sequences, segments, *([everywhere] if carries_state else []))


SCHEDULES: list[str | dict[str, Any]] = [
    "cosine",
    "constant",
    {"kind": "step", "every": 3},
    {"kind": "step", "every": 1, "factor": 0.5},
    {"kind": "plateau"},
    {"kind": "plateau", "patience": 2, "factor": 0.3},
    {"kind": "one_cycle", "rise": 0.2, "divide": 4},
]


@st.composite
def trainings(draw: st.DrawFn) -> dict[str, Any]:
    """Trainings of fifty epochs in which every key says something."""
    schedule, batch = draw(st.sampled_from(SCHEDULES)), draw(st.sampled_from([8, 32, "full"]))
    is_cycle = isinstance(schedule, dict) and schedule["kind"] == "one_cycle"
    return {
        "batch_size": batch,
        "accumulate": 1 if batch == "full" else draw(st.integers(1, 3)),
        "lr": draw(st.sampled_from([0.01, "auto"])),
        "schedule": schedule,
        "warmup": 0.0 if is_cycle else draw(st.sampled_from([0.0, 0.1])),
        "optimizer": draw(st.sampled_from(["adam", "adamw", "sgd", "rmsprop"])),
        "input_noise": draw(st.sampled_from([0.0, 0.1])),
        "precision": draw(st.sampled_from(["float32", "bfloat16"])),
        "min_delta": draw(st.sampled_from([0.0, 0.01])),
    }


def read_all(document: dict[str, Any]) -> dict[str, Any]:
    """The document with a block before its decoder that reads the inputs which nobody else does."""
    unread = [name for name in document["inputs"] if f"'from': '{name}'" not in str(document)]
    whole = {"kind": "last"} if is_whole(document["network"]) else {"kind": "dense", "units": 1}
    beside = [{**whole, "from": name} for name in unread]
    return {**document, "network": {"kind": "connect", "branches": [document["network"], *beside]}} if beside else document


def stack(*blocks: object, **more: object) -> dict[str, object]:
    """A stack as a document has it."""
    return {"kind": "stack", "blocks": list(blocks), **more}


def connect(*branches: object, **more: object) -> dict[str, object]:
    """A connection as a document has it."""
    return {"kind": "connect", "branches": list(branches), **more}
