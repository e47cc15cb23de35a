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


_STANDARD = {"target": "standard"}
"""Windows in deviations from their own mean: a season may be small beside the level, and is not seen beside it."""

_TEXTBOOK_TRAINING = {"epochs": 10, "batch_size": 32, "lr": 0.001, "schedule": "constant", "clip_norm": None, "patience": None}

_STACKED = {
    "context": 10,
    "inputs": {"target": {"columns": ["y"]}},
    "scaling": _STANDARD,
    "network": {"kind": "stack", "blocks": [{"kind": "lstm", "units": 50}, {"kind": "dense", "units": 1}, {"kind": "lstm", "units": 50}]},
    "head": {"kind": "point", "loss": "mse"},
    "training": _TEXTBOOK_TRAINING,
}

_CONNECTED = {
    "context": 10,
    "inputs": {"left": {"columns": ["y"]}, "right": {"columns": ["y"]}},
    "scaling": _STANDARD,
    "network": {
        "kind": "connect",
        "merge": "concat",
        "branches": [{"kind": "lstm", "units": 50, "from": "left"}, {"kind": "lstm", "units": 50, "from": "right"}],
    },
    "head": {"kind": "point", "loss": "mse"},
    "training": _TEXTBOOK_TRAINING,
}

_MQ_RNN = {
    "inputs": {"target": {"columns": ["y"]}},
    "scaling": _STANDARD,
    "network": {"kind": "lstm", "units": 64},
    "decoder": {"kind": "forking", "lags": "season", "units": 64},
    "head": {"kind": "quantiles", "levels": [0.1, 0.25, 0.5, 0.75, 0.9]},
}

_DILATED = {
    "inputs": {"target": {"columns": ["y"]}},
    "scaling": _STANDARD,
    "network": {
        "kind": "stack",
        "blocks": [
            {"kind": "lstm", "units": 32},
            {"kind": "lstm", "units": 32, "dilation": 4, "residual": "add"},
            {"kind": "lstm", "units": 32, "dilation": "season", "residual": "add"},
        ],
    },
    "decoder": {"kind": "forking", "lags": "season"},
}

_ES_RNN = {
    "inputs": {"target": {"columns": ["y"]}},
    "scaling": {"target": "mean_abs"},
    "network": {
        "kind": "stack",
        "blocks": [
            {"kind": "smooth", "from": "target"},
            {"kind": "lstm", "units": 40},
            {"kind": "lstm", "units": 40, "dilation": 4, "residual": "add"},
            {"kind": "lstm", "units": 40, "dilation": "season", "residual": "add"},
            {"kind": "dense", "units": 40, "activation": "tanh"},
        ],
    },
    "decoder": {"kind": "forking"},
}

_CNN_LSTM = {
    "inputs": {"target": {"columns": ["y"]}},
    "scaling": _STANDARD,
    "decoder": {"kind": "direct", "lags": "season"},
    "network": {
        "kind": "stack",
        "blocks": [{"kind": "conv", "units": 32, "width": 3, "activation": "relu"}, {"kind": "lstm", "units": 48}],
    },
}

_AUTOENCODER_LSTM = {
    "inputs": {"target": {"columns": ["y"]}},
    "scaling": _STANDARD,
    "decoder": {"kind": "direct", "lags": "season"},
    "network": {
        "kind": "stack",
        "blocks": [
            {
                "kind": "connect",
                "branches": [
                    {
                        "kind": "autoencoder",
                        "encoder": {"kind": "lstm", "units": 32},
                        "code": 16,
                        "decoder": {"kind": "lstm", "units": 32},
                    },
                    {"kind": "lstm", "units": 48, "output": "last"},
                ],
            },
            {"kind": "dense", "units": 48, "activation": "tanh"},
        ],
    },
    "training": {"phases": [{"learn": "reconstruct", "epochs": 10}, {"learn": "all"}]},
}

_ATTENTIVE = {
    "inputs": {"target": {"columns": ["y"]}},
    "scaling": _STANDARD,
    "decoder": {"kind": "direct", "lags": "season"},
    "network": {
        "kind": "stack",
        "blocks": [
            {"kind": "lstm", "units": 48},
            {"kind": "stack", "skip": "residual", "blocks": [{"kind": "attention", "units": 48, "heads": 4}]},
            {"kind": "norm"},
        ],
    },
}

_SLSTM = {
    "inputs": {"target": {"columns": ["y"]}},
    "scaling": _STANDARD,
    "network": {
        "kind": "stack",
        "blocks": [
            {"kind": "dense", "units": 32},
            {
                "kind": "stack",
                "skip": "residual",
                "repeat": 2,
                "blocks": [{"kind": "stack", "blocks": [{"kind": "norm"}, {"kind": "slstm", "units": 32}]}],
            },
        ],
    },
    "decoder": {"kind": "forking", "lags": "season"},
}

_DEEPAR = {
    "inputs": {"target": {"columns": ["y"], "lags": "season", "age": True, "scale": True}},
    "scaling": _STANDARD,
    "network": {"kind": "stack", "repeat": 3, "blocks": [{"kind": "lstm", "units": 40}]},
    "decoder": {"kind": "recursive"},
    "head": {"kind": "student_t"},
}

_SEGRNN = {
    "context": 96,
    "inputs": {"target": {"columns": ["y"]}},
    "scaling": _STANDARD,
    "network": {
        "kind": "stack",
        "blocks": [
            {"kind": "instance_norm", "by": "last", "from": "target"},
            {"kind": "segment", "width": 4},
            {"kind": "dense", "units": 64, "activation": "relu"},
            {"kind": "gru", "units": 64},
        ],
    },
    "decoder": {"kind": "segments", "width": 4},
    "head": {"kind": "point", "loss": "mae"},
}

_DOCUMENTS = (
    (
        "stacked",
        "Two pieces of an LSTM and a dense layer, one stacked on the other; the head is the second dense layer",
        "the textbook stacked LSTM, with sequences handed on until the end",
        _STACKED,
    ),
    (
        "connected",
        "Two groups of inputs, an LSTM for each, side by side; a job's `columns` say what `left` and `right` read",
        "the textbook two-input LSTM of the functional style",
        _CONNECTED,
    ),
    (
        "mq-rnn",
        "Quantiles of all horizon steps at once, learnt after every step of the context",
        "Wen et al. 2017, arXiv 1711.11053",
        _MQ_RNN,
    ),
    (
        "dilated",
        "A stack of LSTMs whose states are one step, four steps and a season apart",
        "Chang et al. 2017, arXiv 1710.02224",
        _DILATED,
    ),
    (
        "es-rnn",
        "Exponential smoothing of each series, learnt with a dilated residual stack of LSTMs; for values above zero",
        "Smyl 2020, IJF 36, with the loss after every step",
        _ES_RNN,
    ),
    ("cnn-lstm", "A causal convolution before an LSTM", "the common form of it, as in Kim and Cho 2019, Energy 182", _CNN_LSTM),
    (
        "autoencoder-lstm",
        "An LSTM beside the code of an LSTM autoencoder, which first learns to rebuild the context",
        "Laptev et al. 2017, the time series workshop of ICML, with both learnt together at the end",
        _AUTOENCODER_LSTM,
    ),
    (
        "attentive",
        "An LSTM whose steps then attend to those before them",
        "the decoder's form in Lim et al. 2021, IJF 37, without its gates",
        _ATTENTIVE,
    ),
    (
        "deepar",
        "A distribution of the next step alone, which sees the seasons before it; the horizon is forecast by paths of its own samples",
        "Salinas et al. 2017, arXiv 1704.04110",
        _DEEPAR,
    ),
    (
        "segrnn",
        "Segments in, segments out, all at once and from the last value on; the context must be whole segments of 4 steps",
        "Lin et al. 2023, arXiv 2308.11200",
        _SEGRNN,
    ),
    ("slstm", "A residual stack of scalar xLSTM layers", "Beck et al. 2024, arXiv 2405.04517", _SLSTM),
)

GALLERY: Mapping[str, GalleryDocument] = MappingProxyType(
    {name: GalleryDocument(name, title, source, parse_spec(document)) for name, title, source, document in _DOCUMENTS}
)
