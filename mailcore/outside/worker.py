"""Ask Celery to look at once: `wake("run_queue")`. A task is only a wake-up; the rows are the truth.

Lost wake-ups are made good by the sweeps, so trouble with the broker costs one log line and a pause, and
nobody waits for it. A name without a dot is a task of mailcore.tasks. The app is Celery's default one
(hostmail/celery.py calls set_default(), because the current app of another thread is not ours).
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import celery
import structlog
from django.conf import settings
from django.db import connection, transaction

from mailcore import limits
from mailcore.outside import clock
from mailcore.outside.courier import Courier

log = structlog.stdlib.get_logger(__name__)
Send = Callable[[str, tuple[Any, ...]], None]
_pause_until = 0.0


def wake(task: str, *args: int | str) -> None:
    """Have task run soon, when the open transaction has committed. Never blocks, never raises."""
    name = task if "." in task else f"mailcore.tasks.{task}"
    if connection.in_atomic_block:
        transaction.on_commit(lambda: _send(name, args))
    else:
        _send(name, args)


def use(send: Send | None) -> None:
    """Hand wake-ups to send(name, args) from now on; None goes back to Celery. For tests."""
    global _send
    _send = send or _leave


def _leave(name: str, args: tuple[Any, ...]) -> None:
    if settings.REDIS_URL:  # without a broker the worker sweeps by itself
        _courier.leave((name, args))


def _carry(wakes: Sequence[tuple[str, tuple[Any, ...]]]) -> None:
    global _pause_until
    if clock.monotonic() < _pause_until:
        return
    try:
        for name, args in wakes:
            celery.current_app.send_task(name, args=args, ignore_result=True, retry=False)
        # What is left meanwhile goes together: a task is a look, and one look sees all that is due.
        time.sleep(limits.WAKE_PAUSE_SECONDS)
    except Exception as error:  # noqa: BLE001 - kombu lets every transport's own exceptions through
        _pause_until = clock.monotonic() + limits.REDIS_PAUSE_SECONDS
        log.warning("task broker does not answer", error=str(error), tasks=len(wakes))


_courier: Courier[tuple[str, tuple[Any, ...]]] = Courier("worker", _carry)
_send: Send = _leave
