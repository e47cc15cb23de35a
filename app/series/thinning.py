"""Which points are drawn where there are too many? Those that a reader would miss: both ends, and the peaks of each stretch."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

FEWEST_POINTS = 4
"""Both ends, the lowest and the highest."""


def thinned(columns: Sequence[Values], most: int) -> npt.NDArray[np.int64]:
    """Which rows to draw: the first, the last, and those with the lowest and highest value of each column in equal stretches.

    Where there are more columns than `most` has room for, the first ones decide.

    Args:
        columns: equally long, NaN where missing.
        most: rows at most, at least FEWEST_POINTS.
    """
    length = len(columns[0])
    if length <= most:
        return np.arange(length)
    deciding = columns[: (most - 2) // 2]
    stretches = (most - 2) // (2 * len(deciding))
    edges = np.linspace(0, length, stretches + 1).astype(np.int64)
    kept = {0, length - 1}
    for values in deciding:
        lowest, highest = (np.where(np.isnan(values), missing, values) for missing in (np.inf, -np.inf))
        for start, end in pairwise(edges):
            kept |= {int(start + lowest[start:end].argmin()), int(start + highest[start:end].argmax())}
    return np.array(sorted(kept), dtype=np.int64)
