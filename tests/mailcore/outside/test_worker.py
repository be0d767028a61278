"""Wake-ups for Celery: sent after commit, never waited for."""

import json
import time

import pytest
from django.db import transaction
from redis import Redis

from mailcore.outside import worker
from tests.fakes.bell import MemoryWorker


@pytest.fixture
def broker(redis_url):
    """The default Celery app, with its broker in the tests' Redis."""
    from hostmail.celery import app

    before = app.conf.broker_url, app.conf.broker_transport_options
    app.conf.broker_url = redis_url.replace("unix://", "redis+socket://")
    app.conf.broker_transport_options = {"socket_connect_timeout": 1}
    app._pool = app.amqp._producer_pool = None
    worker._pause_until = 0.0
    with Redis.from_url(redis_url) as client:
        yield client
    app.conf.broker_url, app.conf.broker_transport_options = before
    app._pool = app.amqp._producer_pool = None


def sent(client):
    messages = [json.loads(message) for message in client.lrange("celery", 0, -1)]
    return [(message["headers"]["task"], message["headers"]["argsrepr"]) for message in reversed(messages)]


def test_sends_a_task_by_its_name(broker):
    worker.wake("run_queue")
    worker.wake("check_domain", 7)
    worker.wake("other.tasks.look")
    assert worker._courier.flush(10)
    assert sent(broker) == [
        ("mailcore.tasks.run_queue", "()"),
        ("mailcore.tasks.check_domain", "(7,)"),
        ("other.tasks.look", "()"),
    ]


def test_swallows_a_dead_broker_with_one_line(settings, broker, caplog):
    from hostmail.celery import app

    app.conf.broker_url = "redis://127.0.0.1:1/0"
    app._pool = app.amqp._producer_pool = None
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    started = time.monotonic()
    for number in range(50):
        worker.wake("run_queue", number)
    assert time.monotonic() - started < 5
    assert worker._courier.flush(20)
    worker.wake("run_queue")
    assert worker._courier.flush(1)  # it does not even try
    assert caplog.text.count("task broker does not answer") == 1
    worker._pause_until = 0.0


def test_sends_nothing_without_redis(settings, broker):
    settings.REDIS_URL = ""
    worker.wake("run_queue")
    assert worker._courier.flush(5)
    assert sent(broker) == []


@pytest.mark.django_db(transaction=True)
def test_waits_for_the_commit():
    with MemoryWorker() as fake:
        with transaction.atomic():
            worker.wake("run_queue")
            assert fake.woken == []
        assert fake.woken == [("mailcore.tasks.run_queue", ())]
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            worker.wake("run_queue")
            raise ZeroDivisionError
        assert len(fake.woken) == 1
        worker.wake("look", 3)
        assert fake.woken[1:] == [("mailcore.tasks.look", (3,))]
