"""Which annotations are checked while tests run? All of the hooked modules', shapes of tensors included."""

import numpy as np
import numpy.typing as npt
from beartype import BeartypeConf, FrozenDict, beartype

# A datetime64 array's dtype has a unit, and is not the bare dtype that the annotation names.
check = beartype(conf=BeartypeConf(hint_overrides=FrozenDict({npt.NDArray[np.datetime64]: np.ndarray})))
