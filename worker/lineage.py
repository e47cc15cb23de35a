"""Where does a model come from? The job, the bytes it learnt from, the document, the code, the seed, and what each phase came to."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from app.forecasting.forecaster import Forecaster
from app.spec.parse import spec_digest
from app.store.leases import Claim
from worker.training.fit import Training


def lineage_of(claim: Claim, forecaster: Forecaster, training: Training, seconds: float) -> dict[str, Any]:
    """All that makes a model what it is.

    Args:
        claim: the attempt that has made it.
        forecaster: the model.
        training: that is done.
        seconds: that it took, over all attempts.
    """
    outcomes = [outcome for outcome in training.progress.outcomes if not outcome.is_reference]
    return {
        "job": claim.lease.job_id,
        "attempt": claim.lease.attempt,
        "dataset": claim.dataset_id,
        "dataset_version": claim.dataset_version,
        "dataset_digest": claim.dataset_digest,
        "spec_digest": spec_digest(forecaster.spec),
        "code_version": version("braidcast"),
        "seed": training.settings.seed,
        "season": forecaster.season,
        "epochs": sum(outcome.epochs for outcome in outcomes),
        "phases": [asdict(outcome) for outcome in outcomes],
        "seconds": round(seconds, 1),
        "init_from": None if claim.origin_id is None else {"model": claim.origin_id, "digest": claim.origin_digest},
    }
