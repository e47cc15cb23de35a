"""Documents that can be built, drawn at random: any block, to some depth, with names and taps."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

INPUTS: dict[str, dict[str, Any]] = {
    "target": {"columns": ["y"]},
    "weather": {"columns": ["x", "z"], "known": "future"},
    "calendar": {"features": ["day_of_week", "month_of_year"]},
}
RATES = st.sampled_from([0.0, 0.25])
UNITS = st.integers(1, 5)


def _leaves(units: st.SearchStrategy[int]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        st.fixed_dictionaries(
            {"kind": st.just("elman"), "units": units, "activation": st.sampled_from(["tanh", "relu"]), "dropout": RATES}
        ),
        st.fixed_dictionaries({"kind": st.just("lstm"), "units": units, "dropout": RATES}),
        st.fixed_dictionaries({"kind": st.just("gru"), "units": units, "reset": st.sampled_from(["after", "before"])}),
        st.fixed_dictionaries(
            {"kind": st.just("dense"), "units": units, "activation": st.sampled_from(["linear", "tanh", "gelu", "relu"])}
        ),
        st.just({"kind": "dropout", "rate": 0.25}),
    )


def _combined(inside: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    stacks = st.lists(inside, min_size=1, max_size=3).map(lambda blocks: {"kind": "stack", "blocks": blocks})
    branches = st.lists(inside, min_size=2, max_size=3).map(lambda blocks: {"kind": "connect", "branches": blocks, "merge": "concat"})
    return st.one_of(stacks, branches)


def _tapped(network: dict[str, Any], source: str) -> dict[str, Any]:
    """The network beside a sum of two branches that read an input, and a block that taps the network's output."""
    total = {
        "kind": "connect",
        "merge": "sum",
        "branches": [{"kind": "gru", "units": 3, "from": source}, {"kind": "dense", "units": 3, "from": source}],
    }
    both = {"kind": "connect", "branches": [{**network, "name": "main"}, total, {"kind": "lstm", "units": 2, "from": "main"}]}
    return {"kind": "stack", "blocks": [both, {"kind": "dense", "units": 4}]}


def networks() -> st.SearchStrategy[dict[str, Any]]:
    """Networks of all kinds of block."""
    plain = st.recursive(_leaves(UNITS), _combined, max_leaves=6)
    tapped: Callable[[dict[str, Any], str], dict[str, Any]] = _tapped
    return st.one_of(plain, st.builds(tapped, plain, st.sampled_from(["weather", "calendar"])))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Whole documents with context and horizon."""
    heads = [
        {"kind": "point", "loss": "mae"},
        {"kind": "point", "loss": "huber", "delta": 0.5},
        {"kind": "quantiles", "levels": [0.1, 0.5, 0.9]},
        {"kind": "quantiles", "levels": [0.9]},
    ]
    return {
        "context": draw(st.integers(1, 12)),
        "horizon": draw(st.integers(1, 5)),
        "inputs": INPUTS,
        "scaling": {"target": draw(st.sampled_from(["mean_abs", "standard", "none"]))},
        "network": draw(networks()),
        "head": draw(st.sampled_from(heads)),
    }
