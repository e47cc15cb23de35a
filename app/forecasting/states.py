"""What is a carried state? Arrays by name, the first axis of each the session; as safetensors between requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import safetensors.numpy

Arrays = Mapping[str, npt.NDArray[Any]]
"""A state, or several."""


def join(states: Sequence[Arrays]) -> Arrays:
    """States of one forecaster as one, session after session."""
    return states[0] if len(states) == 1 else {name: np.concatenate([state[name] for state in states]) for name in states[0]}


def part(state: Arrays, row: int) -> Arrays:
    """The state of one session."""
    return {name: values[row : row + 1] for name, values in state.items()}


def dump_state(state: Arrays) -> bytes:
    """A state as safetensors."""
    return safetensors.numpy.save({name: np.ascontiguousarray(values) for name, values in state.items()})


def load_state(content: bytes) -> Arrays:
    """The state that `dump_state` was given."""
    return {name: np.array(values) for name, values in safetensors.numpy.load(content).items()}
