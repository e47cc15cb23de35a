"""Keys, datasets, architectures and idempotency keys, on both databases."""

import threading
from collections.abc import Callable

import pytest

from app.errors import ConflictError, InputError, NotFoundError
from app.store.architectures import delete_architecture, get_architecture, insert_architecture, list_architectures
from app.store.database import Database
from app.store.datasets import delete_dataset, get_version, insert_dataset, list_datasets, rename_dataset
from app.store.idempotency import remember, replay
from app.store.jobs import NewJob, insert_job, list_jobs
from app.store.keys import authenticate, create_key, ensure_owner, list_keys, revoke_key
from tests.app.store.conftest import new_dataset


def test_a_key_says_who_asks_until_it_is_revoked(database: Database, owner: str) -> None:
    with database.begin() as db:
        key, token = create_key(db, owner, "laptop", {"write", "read"})
        assert token.startswith("bc_")
        principal = authenticate(db, token)
        assert principal is not None
        assert (principal.owner, principal.owner_name, principal.scopes) == (owner, "local", frozenset({"read", "write"}))
        assert authenticate(db, token[:-1] + ("0" if token[-1] != "0" else "1")) is None
        assert authenticate(db, "bc_" + "0" * 16 + "_" + "0" * 64) is None
        assert authenticate(db, "nonsense") is None
        assert [row.id for row in list_keys(db, owner)] == [key.id]
        revoke_key(db, owner, key.id)
        assert authenticate(db, token) is None
        with pytest.raises(NotFoundError, match="is not a key of yours"):
            revoke_key(db, owner, key.id)


@pytest.mark.parametrize("scopes", [[], ["everything"]])
def test_scopes_that_do_not_exist_are_refused(database: Database, owner: str, scopes: list[str]) -> None:
    with database.begin() as db, pytest.raises(InputError, match="choose of read, write, admin"):
        create_key(db, owner, "k", scopes)


def test_an_owner_is_made_once(database: Database, owner: str) -> None:
    with database.begin() as db:
        assert ensure_owner(db, "local") == owner


def test_a_dataset_is_kept_while_a_live_job_needs_it(database: Database, owner: str, dataset: str, add_job: Callable[..., str]) -> None:
    job = add_job()
    with database.begin() as db:
        with pytest.raises(ConflictError, match=f"{job} still needs {dataset}"):
            delete_dataset(db, owner, dataset)
        assert rename_dataset(db, owner, dataset, "new").name == "new"
        assert get_version(db, owner, dataset).season == 12
        for version in (2, 99):
            with pytest.raises(NotFoundError, match=f"has no version {version}"):
                get_version(db, owner, dataset, version)


def test_bytes_that_two_datasets_share_outlive_one_of_them(database: Database, owner: str, dataset: str) -> None:
    with database.begin() as db:
        twin = insert_dataset(db, owner, new_dataset(name="twin")).id
        assert delete_dataset(db, owner, dataset) == []
        assert delete_dataset(db, owner, twin) == ["a" * 64]
        assert list_datasets(db, owner).rows == []
        with pytest.raises(NotFoundError, match="is not a dataset of yours"):
            delete_dataset(db, owner, twin)


def test_an_architecture_is_its_document(database: Database, owner: str) -> None:
    with database.begin() as db:
        row, is_new = insert_architecture(db, owner, name="a", digest="e" * 64, spec={}, parameters=3)
        again, is_new_again = insert_architecture(db, owner, name="b", digest="e" * 64, spec={}, parameters=3)
        assert (again.id, is_new, is_new_again) == (row.id, True, False)
        assert [one.id for one in list_architectures(db, owner).rows] == [row.id]
        delete_architecture(db, owner, row.id)
        with pytest.raises(NotFoundError, match="is not an architecture of yours"):
            get_architecture(db, owner, row.id)


def test_a_key_replays_its_answer_and_refuses_another_body(database: Database, owner: str) -> None:
    with database.begin() as db:
        assert replay(db, owner, "k", b"{}") is None
        assert remember(db, owner, "k", b"{}", job_id="job_1", status=201, answer={"id": "job_1"})
        assert not remember(db, owner, "k", b"{}", job_id="job_2", status=201, answer={"id": "job_2"})
    with database.begin() as db:
        again = replay(db, owner, "k", b"{}")
        assert again is not None
        assert (again.status, again.answer) == (201, {"id": "job_1"})
        with pytest.raises(InputError, match="came with another body"):
            replay(db, owner, "k", b"[]")


def test_of_equal_requests_at_once_one_makes_a_job(database: Database, owner: str, dataset: str) -> None:
    def submit() -> None:
        with database.begin() as db:
            job = insert_job(db, owner, NewJob("train", "j", {}, {}, dataset, 1))
            if not remember(db, owner, "k", b"{}", job_id=job.id, status=201, answer={"id": job.id}):
                db.rollback()

    threads = [threading.Thread(target=submit) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as db:
        jobs = list_jobs(db, owner).rows
        answered = replay(db, owner, "k", b"{}")
    assert len(jobs) == 1
    assert answered is not None
    assert answered.answer == {"id": jobs[0].id}
