"""POST /v1/models/{model_id}/sessions: what a model has seen of a series is kept, and each new value is folded in at a constant cost."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from app.api.access import Asker
from app.api.bodies import Id, StrictBody
from app.api.forecasts import ForecastBody, LevelPercent, Quantile, forecast_bodies
from app.api.histories import Numbers, SeriesBody, columns_sent, sent_histories, values_of
from app.api.pages import DEFAULT_LIMIT, After, Limit, PageOf, page_body
from app.api.services import Served, Services
from app.errors import ConflictError, ForecastError
from app.forecasting.carried import Carrier
from app.forecasting.histories import History
from app.forecasting.observations import Observation
from app.forecasting.states import Arrays, dump_state, join, load_state, part
from app.spec.panel_forecast import quantiles_of
from app.store.models import get_model, hold_model
from app.store.sessions import Carried, create_session, delete_session, get_session, keep_session, list_sessions, move_session
from app.store.tables import SessionRow

router = APIRouter(tags=["sessions"])

MOST_STEPS = 10_000
"""Values of one observation."""


class SessionRequest(StrictBody):
    """The history that a session begins with."""

    series: SeriesBody


class ObservationRequest(StrictBody):
    """What was observed since.

    Attributes:
        sequence: number of the first value: the session's own, and one.
        target: values, null where missing.
        past: covariates of the same steps; those that were known ahead may be left out.
        future: columns that the model knows ahead, from the step after the last value on; what is left out stays as it was said before.
    """

    sequence: Annotated[int, Field(ge=1)]
    target: Annotated[Numbers, Field(min_length=1, max_length=MOST_STEPS)]
    past: dict[str, Numbers] = Field(default_factory=dict)
    future: dict[str, Numbers] = Field(default_factory=dict)


class SessionBody(BaseModel):
    """What a model has seen of a series. `sequence` counts the values since the history; unused, it is kept until `expires_at`."""

    id: str
    model: str
    unique_id: str
    sequence: int
    created_at: datetime
    expires_at: datetime


class ForecastQuery(BaseModel):
    """What is asked of a session: steps, intervals in percent, and further quantiles."""

    horizon: int | None = None
    levels: Annotated[list[LevelPercent], Field(max_length=20, default_factory=lambda: [80.0])]
    quantiles: Annotated[list[Quantile], Field(max_length=99, default_factory=list)]

    model_config = {"extra": "forbid"}


@router.post("/v1/models/{model_id}/sessions", status_code=201, summary="Begin a session")
def create(model_id: Id, body: SessionRequest, response: Response, services: Served, asker: Asker) -> SessionBody:
    """Read a history once and keep what the model makes of it. A model that cannot carry its state is refused, by the block that is why.

    Raises:
        ForecastError: the history cannot be read.
    """
    with services.database.read() as db:
        model = get_model(db, asker.owner, model_id)
    carrier = services.forecasters.carrier(model.digest)
    try:
        (history,) = sent_histories(carrier.forecaster, [body.series])
        state = _opened(services, model.digest, carrier, history)
    except ForecastError as error:
        pointer = error.pointer.replace("#/series/0", "#/series", 1)
        raise ForecastError(error.detail, code=error.fault_code, pointer=pointer) from error
    with services.database.begin() as db:
        hold_model(db, asker.owner, model.id)
        row = create_session(db, asker.owner, model.id, body.series.unique_id, dump_state(state), services.session_idle_seconds)
        db.refresh(row)
    response.headers["Location"] = f"/v1/sessions/{row.id}"
    return _body(row)


def _opened(services: Services, digest: str, carrier: Carrier, history: History) -> Arrays:
    def run(histories: Sequence[History]) -> list[Arrays]:
        state = carrier.open(histories)
        return [part(state, row) for row in range(len(histories))]

    return services.batcher.submit(("open", digest), history, run).result()


@router.get("/v1/models/{model_id}/sessions", summary="List sessions")
def list_all(model_id: Id, services: Served, asker: Asker, limit: Limit = DEFAULT_LIMIT, after: After = None) -> PageOf[SessionBody]:
    """Your sessions with a model that have not expired, newest first."""
    with services.database.read() as db:
        page = list_sessions(db, asker.owner, get_model(db, asker.owner, model_id).id, limit=limit, after=after)
    return page_body(page, _body)


@router.get("/v1/sessions/{session_id}")
def get_one(session_id: Id, services: Served, asker: Asker) -> SessionBody:
    """A session: after an answer that was lost, its `sequence` says whether the observation has arrived."""
    with services.database.read() as db:
        return _body(get_session(db, asker.owner, session_id))


@router.post("/v1/sessions/{session_id}/observations", summary="Fold values in")
def observe(session_id: Id, body: ObservationRequest, services: Served, asker: Asker) -> SessionBody:
    """Fold the next values into a session, at a cost that does not depend on how many it has seen.

    Raises:
        ConflictError: `sequence` is not the next number.
    """
    with services.database.read() as db:
        session = get_session(db, asker.owner, session_id)
    if body.sequence != session.sequence + 1:
        happened = "was folded in already" if body.sequence <= session.sequence else "leaves a gap"
        sentence = f"sequence is {body.sequence}, which {happened}; the next value of {session.id} is number {session.sequence + 1}"
        raise ConflictError(sentence, code="sequence", pointer="#/sequence")
    state = _observed(services, session, body)
    sequence = session.sequence + len(body.target)
    with services.database.begin() as db:
        expires_at = move_session(db, session, sequence, dump_state(state), services.session_idle_seconds)
    return _body(session._replace(sequence=sequence, expires_at=expires_at))


def _observed(services: Services, session: Carried, body: ObservationRequest) -> Arrays:
    carrier = services.forecasters.carrier(session.digest)
    told = Observation(values_of(body.target), columns_sent(body.past), columns_sent(body.future))

    def run(items: Sequence[tuple[Arrays, Observation]]) -> list[Arrays]:
        moved = carrier.observe(join([state for state, _ in items]), [observation for _, observation in items])
        return [part(moved, row) for row in range(len(items))]

    key = ("observe", session.digest, len(body.target))
    return services.batcher.submit(key, (load_state(session.state), told), run).result()


@router.get("/v1/sessions/{session_id}/forecast", response_model=ForecastBody, summary="Forecast from a session")
def forecast(session_id: Id, services: Served, asker: Asker, query: Annotated[ForecastQuery, Query()]) -> Response:
    """What comes next, from what was carried. The first forecast of a session is that of its history."""
    with services.database.read() as db:
        session = get_session(db, asker.owner, session_id, services.session_idle_seconds)
    carrier = services.forecasters.carrier(session.digest)
    levels = quantiles_of(query.levels, query.quantiles)

    def run(items: Sequence[tuple[Arrays, str]]) -> list[bytes]:
        found = carrier.forecast(join([state for state, _ in items]), [unique_id for _, unique_id in items], levels, query.horizon)
        return forecast_bodies(found, carrier.forecaster.time_kind)

    key = ("carried", session.digest, levels, query.horizon)
    content = services.batcher.submit(key, (load_state(session.state), session.unique_id), run).result()
    if session.is_fading:
        with services.database.begin() as db:
            keep_session(db, session, services.session_idle_seconds)
    return Response(content, media_type="application/json")


@router.delete("/v1/sessions/{session_id}", status_code=204, response_class=Response)
def delete(session_id: Id, services: Served, asker: Asker) -> None:
    """Forget a session."""
    with services.database.begin() as db:
        delete_session(db, asker.owner, session_id)


def _body(session: Carried | SessionRow) -> SessionBody:
    return SessionBody(
        id=session.id,
        model=session.model_id,
        unique_id=session.unique_id,
        sequence=session.sequence,
        created_at=session.created_at,
        expires_at=session.expires_at,
    )
