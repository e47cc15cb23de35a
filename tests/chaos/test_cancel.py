"""A job is cancelled while it waits, while it runs, and just when it ends: it ends once, and as it is told."""

import pytest
import sqlalchemy as sa

from app.store.jobs import cancel_job
from app.store.tables import CheckpointRow, JobRow
from tests.chaos.site import Site, eventually, long_spec
from tests.worker.stage import small_spec
from tests.worker.workers import outcomes_of, wait_for_checkpoint, wait_until_ended

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.chaos]


def cancel(site: Site, job: str) -> JobRow:
    with site.stage.database.begin() as db:
        return cancel_job(db, site.stage.owner, job)


def test_a_job_that_is_cancelled_while_it_waits_never_runs(site: Site) -> None:
    waiting, other = site.add(), site.add()
    assert cancel(site, waiting).status == "cancelled"
    with site.worker() as worker:
        wait_until_ended(site.stage, other, "succeeded")
        # Of the two messages the first that came brought the other job's turn, and the second found nothing to do.
        eventually(lambda: any(f"{job} is not to be had" in worker.said() for job in (waiting, other)))
    assert outcomes_of(site.stage, waiting) == []
    site.judge()


def test_a_job_that_is_cancelled_while_it_runs_keeps_its_checkpoint_and_frees_its_worker(site: Site) -> None:
    job, other = site.add(small_spec(epochs=9000)), site.add()
    with site.worker():
        wait_for_checkpoint(site.stage, job)
        with site.strike(job):
            assert cancel(site, job).status == "cancelling"
        wait_until_ended(site.stage, job, "cancelled")
        wait_until_ended(site.stage, other, "succeeded")
    assert outcomes_of(site.stage, job) == ["cancelled"]
    with site.stage.database.read() as db:
        assert db.scalar(sa.select(sa.func.count()).where(CheckpointRow.job_id == job))
    site.judge()


def test_a_job_that_is_cancelled_just_when_it_ends_has_a_model_or_is_cancelled(site: Site) -> None:
    jobs = [site.add(long_spec(epochs)) for epochs in (3, 4, 5, 6)]
    with site.worker():
        for number, job in enumerate(jobs):
            share = (0.5, 0.9, 1.0, 1.0)[number]
            eventually(lambda job=job, share=share: (site.stage.job(job).progress.get("fraction") or 0) >= share)  # type: ignore[misc]
            cancel(site, job)
            eventually(lambda job=job: site.stage.job(job).status in {"succeeded", "cancelled"})  # type: ignore[misc]
    assert [outcomes_of(site.stage, job) for job in jobs] == [[site.stage.job(job).status] for job in jobs]
    site.judge()
