"""How large may a network be? What a deployment allows; each refusal says the value and the limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkLimits:
    """Bounds of one document.

    Attributes:
        parameters: trainable numbers.
        blocks: blocks of every kind.
        depth: stacks and connections inside each other.
        units: units of one block.
    """

    parameters: int = 50_000_000
    blocks: int = 256
    depth: int = 16
    units: int = 4096


UNLIMITED = NetworkLimits(parameters=2**62, blocks=2**62, depth=2**62, units=2**62)
"""A job that was accepted is not measured again."""
