"""What does a job's request ask of its worker, beside the network?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from app.errors import JobError


def device_of(request: Mapping[str, Any]) -> torch.device:
    """Where a job is to compute: what its `resources.device` asks for, a GPU where there is one by default.

    Raises:
        JobError: it asks for a GPU and there is none.
    """
    wanted = (request.get("resources") or {}).get("device") or "auto"
    if wanted == "gpu" and not torch.cuda.is_available():
        raise JobError("this worker has no GPU; use resources.device 'auto', or start a worker with one", code="no_gpu")
    return torch.device("cuda" if wanted != "cpu" and torch.cuda.is_available() else "cpu")


def season_of(request: Mapping[str, Any], default: int) -> int:
    """Steps of one season: the request's, the first of several, or the dataset's."""
    asked = request.get("season")
    if isinstance(asked, list):
        return int(asked[0]) if asked else default
    return default if asked is None else int(asked)
