"""Which kind of job does a request ask for? Its body is the one of its kind, and faults point into it as it was sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Literal, assert_never

from pydantic import BaseModel, Discriminator, WrapValidator
from sqlalchemy.orm import Session

from app.api.backtest_request import BacktestRequest, plan_backtest
from app.api.bodies import StrictBody
from app.api.forecast_request import ForecastJobRequest, plan_forecasts
from app.api.job_request import JobRequest, plan_job
from app.api.search_request import SearchRequest, plan_search_job
from app.spec.limits import NetworkLimits
from app.store.jobs import NewJob

REQUESTS: Mapping[str, type[StrictBody]] = {
    "train": JobRequest,
    "backtest": BacktestRequest,
    "search": SearchRequest,
    "forecast": ForecastJobRequest,
}


class _Kind(BaseModel):
    """What every request for a job says."""

    kind: Literal["train", "backtest", "search", "forecast"]


def _of_its_kind(value: object, handler: Callable[[object], StrictBody]) -> StrictBody:
    """The request of its kind: pydantic's own choice among them would put the kind into the pointer of each fault."""
    if not isinstance(value, Mapping):
        return handler(value)
    return REQUESTS[_Kind.model_validate(value).kind].model_validate(value)


AnyJobRequest = Annotated[
    JobRequest | BacktestRequest | SearchRequest | ForecastJobRequest, Discriminator("kind"), WrapValidator(_of_its_kind)
]


def plan_of(db: Session, owner: str, request: AnyJobRequest, limits: NetworkLimits) -> NewJob:
    """The job that a request asks for, proven; see the plan of its kind."""
    match request:
        case JobRequest():
            return plan_job(db, owner, request, limits)
        case BacktestRequest():
            return plan_backtest(db, owner, request, limits)
        case SearchRequest():
            return plan_search_job(db, owner, request, limits)
        case ForecastJobRequest():
            return plan_forecasts(db, owner, request)
        case _:
            assert_never(request)
