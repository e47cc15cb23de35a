"""GET /v1/models/{model_id}/export: how does a model run where there is no torch? As a graph of ONNX, with its state and units inside."""

from __future__ import annotations

import hashlib
import logging
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from app.api.access import Asker
from app.api.bodies import Id
from app.api.forecasts import LevelPercent
from app.api.services import Served
from app.errors import ForecastError, UnavailableError
from app.forecasting.exporting.contract import export_faults
from app.spec.panel_forecast import DEFAULT_LEVELS, quantiles_of
from app.spec.parse import parse_spec
from app.store.models import get_model

router = APIRouter(tags=["models"])

EXPORT_SECONDS = 120
RETRY_SECONDS = 10

log = logging.getLogger(__name__)

_at_work = threading.Lock()
"""One export at a time: each takes a processor and half a gigabyte for some seconds."""


@router.get(
    "/v1/models/{model_id}/export",
    summary="Export",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}, "description": "The file."}},
)
def get_export(
    model_id: Id,
    services: Served,
    asker: Asker,
    format: Literal["onnx"] = "onnx",
    levels: Annotated[list[LevelPercent] | None, Query(max_length=20)] = None,
) -> Response:
    """A model as a file that ONNX runtimes read: `docs/forecasts.md` says what goes in and comes out.

    Raises:
        ForecastError: a block cannot be exported; the faults name each and say why.
        UnavailableError: another export is at work.
    """
    with services.database.read() as db:
        row = get_model(db, asker.owner, model_id)
        model, digest, spec = row.id, row.digest, parse_spec(row.spec)
    faults = tuple(export_faults(spec))
    if faults:
        sentence = f"{model} cannot be exported: {'; '.join(fault.detail for fault in faults)}"
        raise ForecastError(sentence, code="not_exportable", faults=faults)
    with services.artifacts.open_local(digest) as path:
        content = _exported(path, quantiles_of(DEFAULT_LEVELS if levels is None else levels, ()))
    headers = {
        "ETag": f'"{hashlib.sha256(content).hexdigest()}"',
        "Content-Disposition": f'attachment; filename="{model}.onnx"',
    }
    return Response(content, headers=headers, media_type="application/octet-stream")


def _exported(weights: Path, levels: tuple[float, ...]) -> bytes:
    """The file, made in a process of its own.

    Raises:
        UnavailableError: another export is at work.
    """
    if not _at_work.acquire(blocking=False):
        raise UnavailableError("another model is being exported; ask again", retry_after_seconds=RETRY_SECONDS)
    try:
        with tempfile.TemporaryDirectory(prefix="braidcast-") as folder:
            target = Path(folder) / "model.onnx"
            command = [sys.executable, "-m", "app.forecasting.exporting", str(weights), str(target), *map(str, levels)]
            subprocess.run(command, check=True, capture_output=True, timeout=EXPORT_SECONDS)  # noqa: S603 ourselves
            return target.read_bytes()
    finally:
        _at_work.release()
