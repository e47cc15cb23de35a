"""What does a request for a search ask for? A training whose document is not settled: what is varied of it, how often, by which cutoffs.

{"kind": "search", "dataset": "ds_...", "horizon": 24}    what a request for a training may say of its network stands here too
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy.orm import Session

from app.api.bodies import Name, StrictBody
from app.api.job_request import LONGEST_RUNTIME_SECONDS, Document, JobRequest, Reference, Resources, Season, Steps, facts_of, plan_job
from app.spec.limits import NetworkLimits
from app.spec.parse import parse_spec
from app.spec.search import DEFAULT_TRIALS, DEFAULT_WINDOWS, MOST_TRIALS, MOST_WINDOWS, plan_search
from app.store.datasets import get_version
from app.store.jobs import NewJob

OF_A_SEARCH = ("space", "trials", "budget_seconds", "windows", "workers")

MOST_WORKERS = 64


class SearchRequest(StrictBody):
    """A search: which architecture suits the data? The winner is trained as a training would, and is the job's model.

    Attributes:
        kind: what is to be done.
        dataset: id of the time series.
        space: what is varied, by a word (`units`, `layers`, `cell`, `dropout`, `lr`, `context`) or a JSON pointer into the document, each
            with `low`, `high` and `log` or `step`, or with `choices`; by default the words that suit the document.
        trials: draws, at most; the first is the document as it is.
        budget_seconds: of all trials together, after which none begins.
        windows: rolling cutoffs by which trials are compared; all lie before the last horizon, by which the winner is scored.
        workers: that may be at trials at once, if there are so many.
        name: of the job and its model.
        architecture: see a training; what is varied.
        columns: see a training.
        context: see a training.
        horizon: see a training.
        training: see a training.
        scaling: see a training.
        seed: see a training; of the draws too.
        season: see a training; scaled errors are in units of it.
        resources: what it may use.
        metadata: yours; it is given back as it is.
    """

    kind: Literal["search"]
    dataset: Reference
    space: dict[str, Any] | None = None
    trials: Annotated[int, Field(ge=1, le=MOST_TRIALS)] = DEFAULT_TRIALS
    budget_seconds: Annotated[int, Field(ge=1, le=LONGEST_RUNTIME_SECONDS)] | None = None
    windows: Annotated[int, Field(ge=1, le=MOST_WINDOWS)] = DEFAULT_WINDOWS
    workers: Annotated[int, Field(ge=1, le=MOST_WORKERS)] = 1
    name: Name | None = None
    architecture: Document | None = None
    columns: dict[str, list[str]] = Field(default_factory=dict)
    context: Steps | None = None
    horizon: Steps | None = None
    training: dict[str, Any] = Field(default_factory=dict)
    scaling: dict[str, Any] = Field(default_factory=dict)
    seed: Annotated[int, Field(ge=0, lt=2**63)] | None = None
    season: Season | None = None
    resources: Resources = Resources()
    metadata: dict[str, Any] = Field(default_factory=dict)


def plan_search_job(db: Session, owner: str, request: SearchRequest, limits: NetworkLimits) -> NewJob:
    """The job that a request asks for, proven.

    Args:
        db: to look up the dataset and the document.
        owner: who asks.
        request: the body.
        limits: of a network.

    Raises:
        InputError: the metadata is nothing that JSON can give back.
        SpecError: nothing can be searched so; the faults point into the body.
        NotFoundError: the owner has no such dataset or document.
    """
    asked = {name: getattr(request, name) for name in request.model_fields_set if name not in OF_A_SEARCH}
    new = plan_job(db, owner, JobRequest.model_validate({**asked, "kind": "train"}), limits)
    facts = facts_of(get_version(db, owner, new.dataset_id, new.dataset_version), request.season)
    sent = request.model_dump(mode="json", exclude_unset=True)
    plan = plan_search(sent, parse_spec(new.spec), facts, limits)
    return replace(new, kind=request.kind, request={**sent, "plan": plan.written()}, helpers=request.workers - 1)
