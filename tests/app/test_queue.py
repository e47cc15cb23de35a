"""Jobs are announced once, quickly or not at all, and Celery is what it is configured to be."""

import base64
import json
import time
from collections.abc import Iterator

import pytest
from celery.app.defaults import DEFAULTS
from kombu.exceptions import OperationalError
from kombu.transport.redis import Channel

from app.errors import UnavailableError
from app.queue import QUEUES, SUBMIT_SECONDS, TRAIN_TASK, Queue, make_celery
from tests.worker.broker import Broker, running_broker

pytestmark = pytest.mark.services


@pytest.fixture
def broker() -> Iterator[Broker]:
    with running_broker() as broker:
        yield broker


@pytest.fixture
def queue(broker: Broker) -> Iterator[Queue]:
    queue = Queue(broker.url)
    yield queue
    queue.close()


def test_message_holds_a_job_id_and_nothing_else(broker: Broker, queue: Queue) -> None:
    queue.submit("job_1", "cpu", 0)
    (raw,) = broker.messages("cpu", 0)
    message = json.loads(raw)
    arguments, keywords, _ = json.loads(base64.b64decode(message["body"]))
    assert (message["headers"]["task"], arguments, keywords) == (TRAIN_TASK, ["job_1"], {})


@pytest.mark.parametrize("queue_name", QUEUES)
def test_message_waits_in_the_queue_it_was_sent_to(broker: Broker, queue: Queue, queue_name: str) -> None:
    queue.submit("job_1", queue_name, 0)
    assert {name: len(broker.messages(name, 0)) for name in QUEUES} == {name: int(name == queue_name) for name in QUEUES}


@pytest.mark.parametrize(("priority", "step"), [(0, 0), (2, 0), (3, 3), (4, 3), (6, 6), (9, 9)])
def test_priorities_are_kept_apart_in_steps(broker: Broker, queue: Queue, priority: int, step: int) -> None:
    queue.submit("job_1", "cpu", priority)
    assert len(broker.messages("cpu", step)) == 1


def test_it_is_known_whether_redis_answers(broker: Broker, queue: Queue) -> None:
    assert queue.is_answering()
    with broker.frozen():
        assert not queue.is_answering()
    assert queue.is_answering()
    broker.kill()
    assert not queue.is_answering()


def test_tcp_works_like_a_socket(redis_url: str) -> None:
    queue = Queue(redis_url)
    queue.submit("job_tcp", "gpu", 9)
    queue.close()


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1/0", "redis+socket:///nowhere/r.sock?virtual_host=0"])
def test_redis_that_is_not_there_is_told_at_once(url: str) -> None:
    queue = Queue(url)
    began_at = time.monotonic()
    with pytest.raises(UnavailableError, match="the job is kept and starts once it does") as caught:
        queue.submit("job_1", "cpu", 0)
    assert time.monotonic() - began_at < SUBMIT_SECONDS
    assert isinstance(caught.value.__cause__, OperationalError)
    queue.close()


def test_frozen_redis_is_given_up_after_a_short_time(broker: Broker, queue: Queue) -> None:
    queue.submit("job_1", "cpu", 0)
    began_at = time.monotonic()
    with broker.frozen(), pytest.raises(UnavailableError):
        queue.submit("job_2", "cpu", 0)
    assert time.monotonic() - began_at < 2 * SUBMIT_SECONDS


def test_sender_survives_a_restart_of_redis(broker: Broker, queue: Queue) -> None:
    queue.submit("job_1", "cpu", 0)
    broker.kill()
    broker.start()
    queue.submit("job_2", "cpu", 0)
    assert len(broker.messages("cpu", 0)) == 1


def test_every_celery_option_exists() -> None:
    changed = set(make_celery("redis://127.0.0.1:1/0").conf.changes)
    assert changed - set(DEFAULTS) - {"deprecated_settings"} == set()


def test_every_option_of_the_redis_transport_exists() -> None:
    options = make_celery("redis://127.0.0.1:1/0").conf.broker_transport_options
    assert set(options) - set(Channel.from_transport_options) == set()


def test_unknown_queue_is_a_bug(queue: Queue) -> None:
    with pytest.raises(LookupError):
        queue.submit("job_1", "tpu", 0)
