"""What do all requests have in common? Types are strict, unknown keys are refused, and names are plain words."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[\w .:-]{1,128}$", description="Letters, digits, spaces and _ . : -, at most 128 of them.")]
"""What owners call their things: no mark-up, no paths, no control characters."""

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL takes no text with a NUL in it, not even to look for."""

Id = Annotated[str, Path(pattern=NO_NUL)]
"""A path's parameter: an id, which may be nobody's."""


class StrictBody(BaseModel):
    """A request's body, or the parameters of its query."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)
