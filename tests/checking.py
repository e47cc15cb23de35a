"""Which annotations are checked while tests run? All of the hooked modules', shapes of tensors too; none where training is slow."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
from beartype import BeartypeConf, FrozenDict, beartype
from jaxtyping import config

# A datetime64 array's dtype has a unit, and is not the bare dtype that the annotation names.
check = beartype(conf=BeartypeConf(hint_overrides=FrozenDict({npt.NDArray[np.datetime64]: np.ndarray})))


@contextmanager
def unchecked() -> Iterator[None]:
    """For a training of many epochs, where the same shapes would be checked again at each of some thousand steps, in half of its time."""
    before = config.jaxtyping_disable
    config.update("jaxtyping_disable", True)
    try:
        yield
    finally:
        config.update("jaxtyping_disable", before)
