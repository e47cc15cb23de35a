"""How does a program forecast from carried state? A session is told what was observed, each value once, and answers what comes next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from app.client.calls import Calls, RefusedError, asked_of


class Session:
    """What a model has seen of one series (docs/sessions.md).

    Attributes:
        id: `ses_...`.
        sequence: values that were observed since the history.
    """

    def __init__(self, calls: Calls, session: str, sequence: int) -> None:
        self._calls = calls
        self.id = session
        self.sequence = sequence

    def observe(
        self,
        target: Sequence[float | None],
        past: Mapping[str, Sequence[float | None]] | None = None,
        future: Mapping[str, Sequence[float | None]] | None = None,
    ) -> None:
        """Folds values in. Sent again after a lost answer they count once: the service knows them by their number.

        Args:
            target: values, None where missing.
            past: covariates of the same steps.
            future: columns that are known ahead, from the step after the last value on.

        Raises:
            RefusedError: the service said no; another may have observed in this session meanwhile.
        """
        body = {"sequence": self.sequence + 1, "target": list(target), "past": dict(past or {}), "future": dict(future or {})}
        try:
            told = self._calls.json("POST", f"/v1/sessions/{self.id}/observations", json=body)
        except RefusedError as error:
            if error.status != 409 or self._counted() != self.sequence + len(target):
                raise
            self.sequence += len(target)
        else:
            self.sequence = int(told["sequence"])

    def forecast(self, horizon: int | None = None, levels: Sequence[float] = (80,), quantiles: Sequence[float] = ()) -> dict[str, Any]:
        """What comes next: `timestamps`, `mean` and `quantiles` by level."""
        return self._calls.json("GET", f"/v1/sessions/{self.id}/forecast", params=asked_of(horizon, levels, quantiles))

    def close(self) -> None:
        """Forgets the session."""
        self._calls.json("DELETE", f"/v1/sessions/{self.id}")

    def _counted(self) -> int:
        return int(self._calls.json("GET", f"/v1/sessions/{self.id}")["sequence"])
