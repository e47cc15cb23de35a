"""Which weights does a training begin with that were not drawn? Those of the models in its document, and of the one that it starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from app.errors import JobError, NotFoundError
from app.forecasting.checkpoint import load
from app.forecasting.forecaster import Forecaster
from app.forecasting.inheritance import inheritance
from app.nets.build import Network
from app.nets.combinators import Inlaid
from app.spec.forecaster import ForecasterSpec
from app.store.artifacts import ArtifactStore


def inlaid_weights(network: Network, artifacts: ArtifactStore) -> dict[str, Tensor]:
    """The weights of the stored models that a network has in it; those within another one's are that one's.

    Raises:
        JobError: a model was deleted since.
    """
    weights: dict[str, Tensor] = {}
    found = [(place, module) for place, module in network.named_modules() if isinstance(module, Inlaid)]
    outermost = [(place, module) for place, module in found if not any(place.startswith(f"{other}.") for other, _ in found)]
    for place, module in outermost:
        origin = read_origin(artifacts, module.digest, "a model in the network", "#/architecture/network")
        weights |= {f"{place}.body.{name}": weight for name, weight in origin.network.body.state_dict().items()}
    return weights


def inherited_weights(
    spec: ForecasterSpec, origin_id: str | None, digest: str, artifacts: ArtifactStore
) -> tuple[Mapping[str, Tensor], dict[str, Any]]:
    """The weights of a job's origin, as far as they fit, and what is told of them.

    Args:
        spec: of the job.
        origin_id: the model that it starts from.
        digest: of its artifact.
        artifacts: where that is.

    Raises:
        JobError: the origin is gone, since the job had ended before it was tried again.
    """
    origin = read_origin(artifacts, digest, f"{origin_id}, which the job starts from,", "#/init_from")
    found = inheritance(spec, origin.spec)
    told = {"taken": [asdict(taken) for taken in found.taken], "left": [asdict(left) for left in found.left]}
    return found.weights(origin.network.state_dict()), {"model": origin_id, **told, "notes": list(found.notes)}


def read_origin(artifacts: ArtifactStore, digest: str, what: str, pointer: str, device: torch.device | None = None) -> Forecaster:
    """A stored model that a job needs.

    Args:
        artifacts: where it lies.
        digest: of its artifact.
        what: it is called in a sentence.
        pointer: where the request names it.
        device: where it is to compute; the CPU by default.

    Raises:
        JobError: it was deleted since.
    """
    try:
        return load(artifacts.read(digest), device)
    except NotFoundError as error:
        raise JobError(f"{what} was deleted before the job began; ask for another job", code="origin_gone", pointer=pointer) from error
