"""Celery's tasks: each looks for due rows and hands them to one call of a service or of the postman.

A task carries no work of its own and may be lost or come twice without harm: the rows are the truth. SCHEDULE
says how often each is run by itself, which makes lost wake-ups good; without Redis nothing else runs them.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from celery import shared_task

from mailcore import limits
from mailcore.outside import clock, machine
from mailcore.postman import postman
from mailcore.services import (
    allowances,
    closing,
    domains,
    events,
    outbound,
    quarantine,
    queue,
    reports,
    storage,
    suppressions,
    textindex,
    webhooks,
)

_indexing = threading.Lock()
_posting = threading.Lock()
_reporting = threading.Lock()


@shared_task
def run_queue() -> None:
    """Take up what came due in the outbound queue. Returns at once; the postman's threads do it."""
    postman().look(only_new=True)


@shared_task
def sweep_queue() -> None:
    """Free what killed workers held, then take up what is due."""
    queue.recover()
    postman().look()


@shared_task
def sweep_later() -> None:
    """File what waited for its moment for recipients here."""
    outbound.later.release_due()


@shared_task
def sweep_sending() -> None:
    """Let go what limits held as far as there is room again, and tell people of what waits."""
    outbound.held.release_due()
    outbound.held.tell()


@shared_task
def check_domains() -> None:
    """Check the DNS of domains whose check is due."""
    while found := domains.due():
        for domain in found:
            domains.check(domain)


@shared_task
def close_mailboxes() -> None:
    """Take away what is left of removed mailboxes and tenants."""
    while closing.sweep():
        pass


@shared_task
def sweep_expunged() -> None:
    """Let go of expunged messages whose time for undeletion is over."""
    _until_done(storage.sweep_expunged)


@shared_task
def sweep_contents() -> None:
    """Drop contents that nothing refers to, and large bodies that no content names."""
    storage.sweep_contents()
    storage.sweep_blobs()


@shared_task
def index_text() -> None:
    """Make the text index of mail that came in, at half speed or less: whoever waits goes first."""
    # A long one is still under way when the next is due: two would do the same work twice.
    if not _indexing.acquire(blocking=False):
        return
    try:
        pause = _Pause()
        _until_done(lambda: textindex.sweep(pause))
    finally:
        _indexing.release()


@shared_task
def tidy_text() -> None:
    """Take what was expunged out of the text index."""
    textindex.tidy(_Pause())


@shared_task
def run_webhooks() -> None:
    """Post to webhooks what happened since the last time."""
    if not _posting.acquire(blocking=False):
        return
    try:
        webhooks.gather()
        _until_done(webhooks.post_due, rounds=10)
    finally:
        _posting.release()


@shared_task
def send_reports() -> None:
    """Send the reports about yesterday that others asked for."""
    if not _reporting.acquire(blocking=False):
        return
    try:
        reports.sending.send_due()
    finally:
        _reporting.release()


@shared_task
def refresh_sts_policies() -> None:
    """Fetch MTA-STS policies of others anew, before they end."""
    _until_done(outbound.sts_policies.refresh)


@shared_task
def prune() -> None:
    """Forget events, changes, finished submissions and what else is older than it is kept."""
    _until_done(events.prune)
    _until_done(storage.prune_changes)
    _until_done(storage.prune_submissions)
    _until_done(quarantine.sweep)
    suppressions.prune()
    allowances.prune()
    outbound.dead.prune()
    _until_done(outbound.tlsrpt.prune)
    _until_done(outbound.sts_policies.prune)
    _until_done(webhooks.prune)
    _until_done(reports.prune)
    _until_done(reports.counts.prune)
    reports.sending.prune()


class _Pause:
    """Rests as long as the work before it took, and far longer while others need the machine."""

    def __init__(self) -> None:
        self._since = clock.monotonic()
        self._load = machine.Load()

    def __call__(self) -> None:
        worked = max(clock.monotonic() - self._since, 0)
        is_busy = self._load.busy() > limits.BACKGROUND_YIELDS_AT
        time.sleep(min(worked * (limits.BACKGROUND_YIELDS_TIMES if is_busy else 1), 2))
        self._since = clock.monotonic()


def _until_done(sweep: Callable[[], int], rounds: int = 1_000) -> None:
    """Call a sweep that does a bounded piece of work until it finds nothing."""
    for _ in range(rounds):
        if not sweep():
            break


# Task -> seconds between two runs by themselves.
SCHEDULE: dict[str, float] = {
    "sweep_queue": 5,
    "run_webhooks": 5,
    "sweep_later": 5,
    "sweep_sending": 30,
    "index_text": 10,
    "check_domains": 20,
    "close_mailboxes": 60,
    "send_reports": 600,
    "sweep_expunged": 3600,
    "refresh_sts_policies": 3600,
    "sweep_contents": 6 * 3600,
    "prune": 6 * 3600,
    "tidy_text": 6 * 3600,
}
