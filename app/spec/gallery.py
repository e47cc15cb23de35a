"""Which published forecasters are here as documents? A job names one as `gallery:NAME`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from app.spec.forecaster import ForecasterSpec
from app.spec.parse import parse_spec


@dataclass(frozen=True)
class GalleryDocument:
    """A document with its title and where it comes from."""

    name: str
    title: str
    source: str
    spec: ForecasterSpec


_TEXTBOOK_TRAINING = {"epochs": 10, "batch_size": 32, "lr": 0.001, "schedule": "constant", "clip_norm": None, "patience": None}

_STACKED = {
    "context": 10,
    "inputs": {"target": {"columns": ["y"]}},
    "network": {"kind": "stack", "blocks": [{"kind": "lstm", "units": 50}, {"kind": "dense", "units": 1}, {"kind": "lstm", "units": 50}]},
    "head": {"kind": "point", "loss": "mse"},
    "training": _TEXTBOOK_TRAINING,
}

_CONNECTED = {
    "context": 10,
    "inputs": {"left": {"columns": ["y"]}, "right": {"columns": ["y"]}},
    "network": {
        "kind": "connect",
        "merge": "concat",
        "branches": [{"kind": "lstm", "units": 50, "from": "left"}, {"kind": "lstm", "units": 50, "from": "right"}],
    },
    "head": {"kind": "point", "loss": "mse"},
    "training": _TEXTBOOK_TRAINING,
}

GALLERY: Mapping[str, GalleryDocument] = MappingProxyType(
    {
        "stacked": GalleryDocument(
            "stacked",
            "Two pieces of an LSTM and a dense layer, one stacked on the other; the head is the second dense layer",
            "the textbook stacked LSTM, with sequences handed on until the end",
            parse_spec(_STACKED),
        ),
        "connected": GalleryDocument(
            "connected",
            "Two groups of inputs, an LSTM for each, side by side; a job's `columns` say what `left` and `right` read",
            "the textbook two-input LSTM of the functional style",
            parse_spec(_CONNECTED),
        ),
    }
)
