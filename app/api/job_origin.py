"""Which model does a job start from, and is there anything of it that its network can take over?"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.api.job_faults import ORIGIN
from app.errors import NotFoundError, SpecError
from app.forecasting.inheritance import inheritance
from app.spec.forecaster import ForecasterSpec
from app.spec.parse import parse_spec
from app.store.models import get_model

REASONS_SHOWN = 3


@dataclass(frozen=True)
class JobOrigin:
    """A model that a job starts from.

    Attributes:
        model: its id.
        name: what it is called.
        digest: of its artifact.
        dataset: what it was trained on.
        spec: its document.
    """

    model: str
    name: str
    digest: str
    dataset: str
    spec: ForecasterSpec


def find_origin(db: Session, owner: str, reference: str) -> JobOrigin:
    """The owner's model, by its id or its name.

    Raises:
        NotFoundError: the owner has no such model.
    """
    try:
        row = get_model(db, owner, reference)
    except NotFoundError as error:
        raise NotFoundError(f"init_from: {error.detail}", pointer=ORIGIN) from error
    return JobOrigin(row.id, row.name, row.digest, row.dataset_id, parse_spec(row.spec, base=ORIGIN))


def check_origin(spec: ForecasterSpec, origin: JobOrigin, dataset: str) -> None:
    """Refuses an origin that would do nothing, or would tell of a fold to what must not know it.

    Args:
        spec: what the job trains.
        origin: what it starts from.
        dataset: what the job learns from.

    Raises:
        SpecError: nothing can be taken over, or branches in folds would have seen all windows.
    """
    found = inheritance(spec, origin.spec)
    if not found.taken:
        reasons = "; ".join(f"{left.place}: {left.reason}" for left in found.left[:REASONS_SHOWN])
        sentence = f"init_from: nothing of {origin.model} can be taken over ({reasons})"
        way_out = "use the model's own document by leaving architecture out, give its blocks the names and widths that they have there"
        raise SpecError(f"{sentence}; {way_out}, or leave init_from out", code="nothing_shared", pointer=ORIGIN)
    if origin.dataset == dataset and any(phase.folds is not None for phase in spec.training.phases):
        sentence = f"init_from: {origin.model} has learnt from all windows of {dataset}, so that no branch would be without any fold"
        raise SpecError(f"{sentence}; leave init_from or the phase's folds out", code="inert", pointer=ORIGIN)
