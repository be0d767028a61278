"""`manage.py worker`: background work. With Redis a Celery worker and its beat, without it plain sweeps."""

import logging
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from celery import beat, signals
from celery.exceptions import SecurityWarning
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.db import close_old_connections

from hostmail.celery import app, schedule

logger = logging.getLogger(__name__)
EMBEDDED_THREADS = 32  # they wait for remote hosts; a third of those may be stalling


class Command(BaseCommand):
    help = "Work off what is due: the outbound queue, DNS checks, sweeps."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--threads", type=int, default=EMBEDDED_THREADS, help="tasks at one time")
        parser.add_argument(
            "--no-beat", action="store_true", help="leave the regular sweeps to another worker"
        )

    def handle(self, *args: Any, threads: int, no_beat: bool, **options: Any) -> None:
        database = settings.DATABASES["default"]
        if "pool" in database.get("OPTIONS", {}):
            database["OPTIONS"]["pool"]["max_size"] = max(settings.HOSTMAIL_DB_POOL, threads + 4)
        # Celery's checks of the project would load every page: a third of the worker's memory.
        os.environ.setdefault("CELERY_SKIP_CHECKS", "yes")
        sweeps = {} if no_beat else schedule()
        if settings.REDIS_URL:
            work_for_celery(threads, sweeps)
        else:
            logger.warning(
                "worker_without_redis", extra={"effect": "works off what is due by looking regularly"}
            )
            app.loader.import_default_modules()
            Sweeper(threads, sweeps, app.tasks).run()


def work_for_celery(threads: int, sweeps: dict[str, float]) -> None:
    """Run a Celery worker until SIGTERM, with beat as a thread: a forked one would outlive a kill -9."""
    app.conf.beat_schedule = {name: {"task": name, "schedule": seconds} for name, seconds in sweeps.items()}
    clock: Any = beat.EmbeddedService(app, thread=True, scheduler_cls=beat.Scheduler)
    if hasattr(clock, "daemon"):
        clock.daemon = True

    def ready(**_: Any) -> None:
        if sweeps:
            clock.start()
        print("ready", flush=True)

    signals.worker_ready.connect(ready, weak=False)
    # As root Celery warns of pickled messages; we take JSON only.
    warnings.filterwarnings("ignore", category=SecurityWarning)
    worker = app.Worker(
        pool="threads",
        concurrency=threads,
        loglevel=settings.HOSTMAIL_LOG_LEVEL,
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()


class Sweeper:
    """Calls every sweep when its time has come, each in a thread and never twice at once."""

    def __init__(
        self, threads: int, sweeps: dict[str, float], tasks: Mapping[str, Callable[[], Any]]
    ) -> None:
        self._sweeps = sweeps
        self._tasks = tasks
        self._pool = ThreadPoolExecutor(min(threads, max(len(sweeps), 1)), "sweep")
        self._running: dict[str, Future[None]] = {}
        self._stop = threading.Event()

    def run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        due = dict.fromkeys(self._sweeps, time.monotonic())
        print("ready", flush=True)
        while not self._stop.wait(0.25):
            now = time.monotonic()
            for name in [name for name, at in due.items() if at <= now and self._is_free(name)]:
                due[name] = now + self._sweeps[name]
                self._running[name] = self._pool.submit(self._call, name)
        self._pool.shutdown(wait=True)

    def _is_free(self, name: str) -> bool:
        return name not in self._running or self._running[name].done()

    def _call(self, name: str) -> None:
        try:
            self._tasks[name]()
        except Exception:
            logger.exception("sweep_failed", extra={"task": name})
        finally:
            close_old_connections()
