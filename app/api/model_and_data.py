"""Which model, and which data? A stored model that is to read a dataset: its own, or another of the same frequency."""

from __future__ import annotations

from sqlalchemy.orm import Session

from app.errors import NotFoundError, SpecError
from app.store.datasets import get_version
from app.store.models import get_model
from app.store.tables import DatasetVersionRow, ModelRow


def find_model_and_data(db: Session, owner: str, model: str, dataset: str | None) -> tuple[ModelRow, str, DatasetVersionRow]:
    """A model, a dataset's id and its newest version.

    Args:
        db: to look them up.
        owner: whose they are.
        model: id or name.
        dataset: its id; None for the model's own.

    Raises:
        NotFoundError: the owner has no such model or dataset.
        SpecError: they are of different frequencies.
    """
    try:
        row = get_model(db, owner, model)
    except NotFoundError as error:
        raise NotFoundError(f"model: {error.detail}", pointer="#/model") from error
    found = dataset or row.dataset_id
    version = get_version(db, owner, found)
    if version.freq != row.freq:
        sentence = f"dataset: has the frequency {version.freq}, and {row.id} was trained on {row.freq}; name one of that frequency"
        raise SpecError(sentence, code="frequency", pointer="#/dataset")
    return row, found, version
