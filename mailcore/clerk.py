"""The clerk: gathers what sessions hand in and files it in shared transactions.

One thread with its own database connection. While one batch commits, everything that arrives
waits and makes the next batch, so a hundred deliveries cost one sync of the disk and a single one
never waits for company. If a batch fails, its units are tried one by one, so that one bad message
harms nobody else. Sessions are answered, on their event loop, only after the commit.

Used by maild's SMTP and IMAP servers; other processes call messages.append_many themselves.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import close_old_connections, connection

from mailcore import limits
from mailcore.errors import Busy
from mailcore.services import messages
from mailcore.services.messages import Filed, Unit

log = logging.getLogger(__name__)

Result = list[Filed] | BaseException


@dataclass(slots=True)
class _Job:
    unit: Unit
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[list[Filed]]


class Clerk:
    """file() is called on an event loop; start() and stop() by whoever owns the process."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="clerk", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """File what was handed in, then end."""
        self._jobs.put(None)
        self._thread.join()

    def file(self, unit: Unit) -> asyncio.Future[list[Filed]]:
        """A future that is done when the unit is durable.

        Its exception is the MailError that kept the unit out, or what went wrong (answer: try later).
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[list[Filed]] = loop.create_future()
        if self._jobs.qsize() > limits.CLERK_WAITING:
            future.set_exception(Busy())
        else:
            self._jobs.put(_Job(unit, loop, future))
        return future

    def _run(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                break
            batch = [job]
            filings = _weight(job)
            stopping = False
            while filings < limits.BATCH_FILINGS:
                try:
                    job = self._jobs.get_nowait()
                except queue.Empty:
                    break
                if job is None:
                    stopping = True
                    break
                batch.append(job)
                filings += _weight(job)
            self._file(batch)
            if stopping:
                break
        connection.close()

    def _file(self, batch: Sequence[_Job]) -> None:
        results: Sequence[list[Filed] | BaseException]
        try:
            results = messages.append_many([job.unit for job in batch])
        except Exception as error:
            if len(batch) == 1:
                log.exception("a delivery could not be filed")
                results = [error]
            else:
                log.warning(
                    "a batch of %d could not be filed (%r); trying them one by one", len(batch), error
                )
                results = [_alone(job.unit) for job in batch]
        finally:
            close_old_connections()
        by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Job, Result]]] = {}
        for job, result in zip(batch, results, strict=True):
            by_loop.setdefault(job.loop, []).append((job, result))
        for loop, answers in by_loop.items():
            try:
                loop.call_soon_threadsafe(_answer, answers)
            except RuntimeError:
                # The loop is closed: the process is ending, and nobody is left to hear it.
                log.info("%d filed after their sessions had gone", len(answers))


def _weight(job: _Job) -> int:
    return sum(len(mail.filings) for mail in job.unit.mails) or 1


def _alone(unit: Unit) -> Result:
    try:
        (result,) = messages.append_many([unit])
    except Exception as error:
        log.exception("a delivery could not be filed")
        return error
    return result


def _answer(answers: Sequence[tuple[_Job, Result]]) -> None:
    for job, result in answers:
        if job.future.done():  # its session has gone
            continue
        if isinstance(result, BaseException):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)
