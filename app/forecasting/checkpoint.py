"""How does a forecaster become bytes and come back? As safetensors with a JSON document in its header: never pickle.

    8 bytes            length of the header
    header, JSON       name -> dtype, shape, place; `__metadata__.braidcast` is our document
    tensors

A header is read and compared with what its description builds before a tensor is touched.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from app.errors import BraidcastError
from app.forecasting.forecaster import Forecaster
from app.nets.build import Network, build
from app.nets.heads import RESIDUAL_LEVELS
from app.series.scaling import CovariateScaling
from app.spec.forecaster import ForecasterSpec, QuantilesHead
from app.spec.parse import parse_spec

FORMAT = "braidcast forecaster 1"
DOCUMENT = "braidcast"
RESIDUALS = "residuals"
WIDTHS = "widths"
MEMBERS = "members"
LENGTH_BYTES = 8
LONGEST_HEADER = 16 * 1024 * 1024

SAFETENSORS_NAMES = {torch.float32: "F32", torch.float64: "F64"}


def pack(tensors: Mapping[str, Tensor], document: Mapping[str, Any]) -> bytes:
    """Tensors and a JSON document as safetensors."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(contiguous, {DOCUMENT: json.dumps(document, allow_nan=False)})


def unpack(content: bytes) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `pack` was given.

    Raises:
        BraidcastError: the bytes are no such thing.
    """
    document = json.loads(_header(content).get("__metadata__", {}).get(DOCUMENT, "null"))
    if not isinstance(document, dict):
        raise BraidcastError("the artifact has no document in its header; it was not written by this service")
    return safetensors.torch.load(content), document


def dump(forecaster: Forecaster) -> bytes:
    """A forecaster as bytes."""
    tensors = {name: weight for number, network in enumerate(forecaster.members) for name, weight in _named(network.state_dict(), number)}
    measured = {RESIDUALS: forecaster.residuals, WIDTHS: forecaster.widths}
    tensors |= {name: tensor for name, tensor in measured.items() if tensor is not None}
    document = {
        "format": FORMAT,
        "spec": forecaster.spec.model_dump(mode="json", by_alias=True),
        "freq": forecaster.freq,
        "season": forecaster.season,
        "time_kind": forecaster.time_kind,
        "series": list(forecaster.series),
        "scaling": {"mean": dict(forecaster.scaling.mean), "deviation": dict(forecaster.scaling.deviation)},
    }
    return pack(tensors, document)


def load(content: bytes, device: torch.device | None = None) -> Forecaster:
    """The forecaster that `dump` was given, in evaluation mode.

    Args:
        content: what `dump` gave.
        device: where it is to compute; the CPU by default.

    Raises:
        BraidcastError: the bytes are no forecaster, or not the one that their description builds.
    """
    header = _header(content)
    document = json.loads(header.get("__metadata__", {}).get(DOCUMENT, "{}"))
    if document.get("format") != FORMAT:
        raise BraidcastError(f"the artifact's format is {document.get('format')!r}; this version reads {FORMAT!r}")
    spec = parse_spec(document["spec"])
    networks = [build(spec) for _ in range(spec.training.members)]
    _compare(header, _expected(spec, networks))
    tensors = safetensors.torch.load(content)
    residuals, widths = tensors.pop(RESIDUALS, None), tensors.pop(WIDTHS, None)
    for number, network in enumerate(networks):
        state = network.state_dict()
        names = (name for name, _ in _named(state, number))
        network.load_state_dict({own: tensors[name] for own, name in zip(state, names, strict=True)})
        network.to(device or torch.device("cpu")).eval().requires_grad_(requires_grad=False)
    scaling = CovariateScaling(document["scaling"]["mean"], document["scaling"]["deviation"])
    series = tuple(document.get("series", ()))
    told = (document["freq"], document["season"], document["time_kind"])
    return Forecaster(spec, networks[0], *told, scaling, residuals, series, tuple(networks[1:]), widths)


def _named(weights: Mapping[str, Tensor], member: int) -> Iterator[tuple[str, Tensor]]:
    """Weights by their names in an artifact: those of the first network are its own."""
    for name, weight in weights.items():
        yield (f"{MEMBERS}.{member}.{name}" if member else name), weight


def _expected(spec: ForecasterSpec, networks: Sequence[Network]) -> dict[str, tuple[str, list[int]]]:
    named = (pair for number, network in enumerate(networks) for pair in _named(network.state_dict(), number))
    expected = {name: (SAFETENSORS_NAMES[tensor.dtype], list(tensor.shape)) for name, tensor in named}
    levels = len(spec.head.levels) if isinstance(spec.head, QuantilesHead) else 0
    return expected | {RESIDUALS: ("F32", [spec.horizon or 1, len(RESIDUAL_LEVELS)]), WIDTHS: ("F32", [levels])}


def _compare(header: Mapping[str, Any], expected: Mapping[str, tuple[str, list[int]]]) -> None:
    found = {name: (entry["dtype"], entry["shape"]) for name, entry in header.items() if name != "__metadata__"}
    wrong = sorted(name for name in found.keys() | expected.keys() - {RESIDUALS, WIDTHS} if found.get(name) != expected.get(name))
    if wrong:
        raise BraidcastError(f"the artifact's tensors are not those of its description: {', '.join(wrong[:5])}")


def _header(content: bytes) -> dict[str, Any]:
    length = int.from_bytes(content[:LENGTH_BYTES], "little")
    if len(content) < LENGTH_BYTES or length > min(LONGEST_HEADER, len(content) - LENGTH_BYTES):
        raise BraidcastError("the artifact is cut off, or no safetensors file")
    try:
        header = json.loads(content[LENGTH_BYTES : LENGTH_BYTES + length])
    except ValueError as error:
        raise BraidcastError(f"the artifact's header is no JSON: {error}") from error
    if not isinstance(header, dict):
        raise BraidcastError("the artifact's header is no JSON object")
    return header
