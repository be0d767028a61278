"""Without Redis the worker sweeps by itself: each sweep when it is due, never twice at once."""

import threading
import time

import pytest

from hostmail.celery import app, schedule
from hostmail.management.commands.worker import Sweeper


@pytest.fixture(autouse=True)
def signals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the signal handlers of the test run alone."""
    monkeypatch.setattr("signal.signal", lambda *_: None)


def run_for(sweeper: Sweeper, seconds: float) -> None:
    timer = threading.Timer(seconds, sweeper._stop.set)
    timer.start()
    sweeper.run()
    timer.join()


def test_calls_each_sweep_when_it_is_due() -> None:
    calls = []
    tasks = {"often": lambda: calls.append("often"), "seldom": lambda: calls.append("seldom")}
    run_for(Sweeper(4, {"often": 0.3, "seldom": 60}, tasks), 1.5)
    assert calls.count("seldom") == 1
    assert calls.count("often") >= 2


def test_never_runs_a_sweep_twice_at_once() -> None:
    running = []
    most = []

    def slow() -> None:
        running.append(1)
        most.append(len(running))
        time.sleep(0.7)
        running.pop()

    run_for(Sweeper(4, {"slow": 0.1}, {"slow": slow}), 1.2)
    assert max(most) == 1


def test_a_sweep_that_fails_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    calls = []

    def broken() -> None:
        calls.append(1)
        raise ZeroDivisionError

    run_for(Sweeper(1, {"broken": 0.2}, {"broken": broken}), 1.2)
    assert len(calls) >= 2
    assert "ZeroDivisionError" in caplog.text


def test_the_schedule_names_tasks_that_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CELERY_SKIP_CHECKS", "yes")
    app.loader.import_default_modules()
    assert schedule()
    assert set(schedule()) <= set(app.tasks)
