"""Which mistakes can a caller meet, and what does each answer with?

    BraidcastError
    ├── InputError 422             a request that cannot be carried out as it is written
    │   ├── SpecError              ... in an architecture document
    │   ├── SeriesError            ... in uploaded time series
    │   └── ForecastError          ... in what a forecast was asked for
    ├── MalformedError 400         a body that cannot be read at all
    ├── UnauthorizedError 401
    ├── ForbiddenError 403
    ├── NotFoundError 404
    ├── ConflictError 409
    ├── GoneError 410
    ├── TooLargeError 413
    ├── UnsupportedMediaError 415
    ├── UnavailableError 503
    ├── JobError                   a job that ended without a model
    │   ├── DivergedError          the loss stopped being a number
    │   ├── TrainingMemoryError    the device ran out of memory
    │   ├── TimedOutError          longer than max_runtime_seconds
    │   ├── UnfitDataError         the data cannot train this network
    │   └── InterruptedJobError    the service's own trouble: a retry may help
    └── LeaseLostError             an attempt that is no longer the job's

Messages have the place, the rule, the value and the way out. Everything else that is raised is a bug.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        pointer: JSON pointer into the request's body (`#/network/blocks/1/units`), or a query parameter (`?freq`), or empty.
        code: what is wrong in a word that programs compare.
        detail: the rule, the value and the way out, for a reader.
    """

    pointer: str
    code: str
    detail: str


SHOWN_CHARACTERS = 60
"""Of a value in a sentence: enough to know it again."""


def pointer_to(base: str, path: Iterable[object]) -> str:
    """The JSON pointer of a place below another (RFC 6901)."""
    return "/".join([base, *(str(part).replace("~", "~0").replace("/", "~1") for part in path)])


def shown(value: object) -> str:
    """A value as a sentence shows it: its beginning, where it is long."""
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."


class BraidcastError(Exception):
    """A mistake with a sentence for its maker.

    Args:
        detail: place, rule, value and way out.
        code: what is wrong in a word that programs compare; the class's own by default.
        pointer: JSON pointer of the place (see `Fault`), when there is one.
        faults: all the faults, when there may be several.
        retry_after_seconds: when it is worth trying again.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    title: ClassVar[str] = "Something went wrong"

    def __init__(
        self, detail: str, *, code: str = "", pointer: str = "", faults: tuple[Fault, ...] = (), retry_after_seconds: int | None = None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer
        self.fault_code = code or type(self).code
        self.faults = faults or ((Fault(pointer, self.fault_code, detail),) if pointer else ())
        self.retry_after_seconds = retry_after_seconds


class InputError(BraidcastError):
    """A request that cannot be carried out as it is written."""

    status = 422
    code = "validation"
    title = "The request cannot be carried out as it is written"


class SpecError(InputError):
    """An architecture document that describes no network that can be trained."""

    code = "architecture"
    title = "The architecture cannot be built"


class SeriesError(InputError):
    """Uploaded time series that cannot be read as a regular panel."""

    code = "series"
    title = "The time series cannot be read"


class ForecastError(InputError):
    """A forecast that the model cannot give from what it was sent."""

    code = "forecast"
    title = "The forecast cannot be made"


class MalformedError(BraidcastError):
    """A body that cannot be read at all."""

    status = 400
    code = "malformed"
    title = "The request cannot be read"


class UnauthorizedError(BraidcastError):
    """No key, or one that is not known or was revoked."""

    status = 401
    code = "unauthorized"
    title = "A key is needed"


class ForbiddenError(BraidcastError):
    """A key without the scope that this needs."""

    status = 403
    code = "forbidden"
    title = "The key may not do this"


class NotFoundError(BraidcastError):
    """Nothing of this owner's by that id."""

    status = 404
    code = "not_found"
    title = "There is no such thing here"


class ConflictError(BraidcastError):
    """Something that the present state rules out."""

    status = 409
    code = "conflict"
    title = "The present state rules this out"


class GoneError(BraidcastError):
    """Something of this owner's that was not used for longer than it is kept."""

    status = 410
    code = "gone"
    title = "It is no longer kept"


class TooLargeError(BraidcastError):
    """More bytes than a request may bring."""

    status = 413
    code = "too_large"
    title = "The request is too large"


class UnsupportedMediaError(BraidcastError):
    """A body in a format or an encoding that is not read here."""

    status = 415
    code = "unsupported_media"
    title = "The format is not read here"


class UnavailableError(BraidcastError):
    """Something that this needs is away just now."""

    status = 503
    code = "unavailable"
    title = "Not available just now"


class JobError(BraidcastError):
    """A job that ended without a model."""

    code = "internal"
    retryable: ClassVar[bool] = False


class DivergedError(JobError):
    """A loss that stopped being a number."""

    code = "diverged"


class TrainingMemoryError(JobError):
    """More memory than the device has."""

    code = "out_of_memory"


class TimedOutError(JobError):
    """A job that ran longer than it may."""

    code = "timeout"


class UnfitDataError(JobError):
    """Data that cannot train the network that was asked for."""

    code = "data_invalid"


class InterruptedJobError(JobError):
    """The service's own trouble; the same request may succeed at another time."""

    retryable = True


class LeaseLostError(BraidcastError):
    """An attempt that is no longer the job's: it must write nothing more."""

    code = "lease_lost"
