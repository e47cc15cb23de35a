"""How much may be asked of this deployment?"""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from app.api.pages import MOST_ROWS
from app.api.services import Served

router = APIRouter(tags=["service"])


class LimitsBody(BaseModel):
    """The most of each thing."""

    body_bytes: int
    """Of an upload, as it is sent."""
    json_bytes: int
    """Of any other request's body."""
    expanded_bytes: int
    """Of an upload, once decompressed."""
    rows: int
    """Of a dataset, inserted missing steps included."""
    series: int
    """Of a dataset."""
    columns: int
    """Of a dataset."""
    field_bytes: int
    """Of one value of text in a dataset."""
    parameters: int
    """Trainable numbers of a network."""
    blocks: int
    """Of a network."""
    depth: int
    """Of stacks and connections inside each other."""
    units: int
    """Of one block."""
    page_rows: int
    """Of one page of a list."""

    model_config = {"use_attribute_docstrings": True}


@router.get("/v1/limits")
def get_limits(services: Served) -> LimitsBody:
    """Every limit of this deployment; a request over one of them is refused with the limit's value."""
    table, network = services.table_limits, services.network_limits
    return LimitsBody(
        body_bytes=services.max_body_bytes,
        json_bytes=services.max_json_bytes,
        expanded_bytes=table.expanded_bytes,
        rows=table.rows,
        series=table.series,
        columns=table.columns,
        field_bytes=table.field_bytes,
        parameters=network.parameters,
        blocks=network.blocks,
        depth=network.depth,
        units=network.units,
        page_rows=MOST_ROWS,
    )
