"""What is seen of a network's gradients? Plain numbers of each recurrent layer, that JSON gives back to the bit.

As metrics, by the layer's place:

    grad_norm/PLACE        of its weights                     saturation/PLACE    share of gate values without a slope
    grad_norm/PLACE/GATE   of the rows of one gate            dead_units/PLACE    share of units that never change
    memory/PLACE           lag up to which the gradient of    radius/PLACE        largest eigenvalue of its recurrent weights
                           its state is 1 % of its largest    update_ratio/PLACE  |change| / |weights| of one step
    half_life/PLACE        lag from which on it is a half     growth/PLACE        its largest over what the loss puts in

and `depth_ratio`, the first block's gradient norm over the last one's.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MEASURED = ("grad_norm", "memory", "half_life", "growth", "saturation", "dead_units", "radius", "update_ratio")
"""Attributes of a layer that are metrics."""


@dataclass(frozen=True)
class LayerLook:
    """What was seen of a recurrent layer; None for what there is none of, or is no number.

    Attributes:
        place: where it stands.
        steps: that it reads, fewer than the context behind what shortens it.
        grad_norm: of all its weights; None where they are frozen.
        gate_norms: of the rows of each gate.
        lags: of `norms`, rising.
        norms: of the gradient of its state so many steps before the newest.
        memory: the largest lag at which that is at least 1 % of its largest.
        half_life: the lag from which on it is at most half of its largest, None where it never falls so far.
        growth: its largest over the norms of what the loss puts in at all steps; above 1 it grows on its way back.
        saturation: share of gate values at which the gate hardly has a slope, None where no gate is seen.
        gate_saturation: the same of each gate that is seen.
        dead_units: share of units that give the same at every step of the probe.
        radius: spectral radius of the recurrent weights, the largest of all gates.
        update_ratio: size of the change of its weights in one step over their size.
    """

    place: str
    steps: int
    grad_norm: float | None
    gate_norms: dict[str, float | None]
    lags: list[int]
    norms: list[float | None]
    memory: int
    half_life: int | None
    growth: float | None
    saturation: float | None
    gate_saturation: dict[str, float]
    dead_units: float
    radius: float | None
    update_ratio: float | None

    def metrics(self) -> dict[str, float]:
        """What there is, one number a name."""
        values: dict[str, float | None] = {f"{name}/{self.place}": getattr(self, name) for name in MEASURED}
        values |= {f"grad_norm/{self.place}/{gate}": norm for gate, norm in self.gate_norms.items()}
        return {name: float(value) for name, value in values.items() if value is not None}


@dataclass(frozen=True)
class Look:
    """What was seen of a network.

    Attributes:
        layers: in the order of the network.
        depth_ratio: gradient norm of the first block of the outermost stack over that of the last one, of those with recurrent layers that
            learn; None where there are no two.
    """

    layers: list[LayerLook] = field(default_factory=list)
    depth_ratio: float | None = None

    def metrics(self) -> dict[str, float]:
        """What there is, one number a name."""
        named = {name: value for layer in self.layers for name, value in layer.metrics().items()}
        return named | ({} if self.depth_ratio is None else {"depth_ratio": self.depth_ratio})

    def then(self, later: Look) -> Look:
        """This look with what was seen in a later one, of the layers that ran in it."""
        layers = {layer.place: layer for layer in (*self.layers, *later.layers)}
        ratio = self.depth_ratio if later.depth_ratio is None else later.depth_ratio
        return Look([layers[place] for place in sorted(layers, key=_in_order)], ratio)


def look_in(document: Mapping[str, Any]) -> Look:
    """The look that `dataclasses.asdict` has made a document of."""
    return Look([LayerLook(**layer) for layer in document["layers"]], document["depth_ratio"])


def known(value: float | None) -> float | None:
    """A value, or None where it is no number."""
    return value if value is not None and math.isfinite(value) else None


def _in_order(place: str) -> list[tuple[bool, int, str]]:
    """By number, not by digit: the tenth block of a stack is not its second."""
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in place.split(".")]
