"""MTA-STS policies of domains outside: fetched over HTTPS, kept as long as they say, refreshed in time.

The last good policy counts until it ends, whatever becomes of its record or its host: to make these vanish
is how somebody in between would get rid of it (RFC 8461 §5.1, §10.2). Nothing here is locked while others
are asked; two that fetch at once write the same.
"""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass

from django.db import connection

from mailcore import limits
from mailcore.database import give_back
from mailcore.errors import MailError
from mailcore.models import STSPolicy
from mailcore.outside import clock, dns, http
from mailcore.services import ledger, sql
from mailcore.tlspolicy import mta_sts
from mailcore.tlspolicy.mta_sts import Broken, Policy
from mailcore.tlspolicy.tlsrpt import Result

HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class Known:
    """The policy that counts now, None for none; failure says why a newer one could not be had."""

    policy: Policy | None = None
    failure: Result | None = None
    words: str = ""


class _Unfetched(Exception):
    def __init__(self, result: Result, words: str) -> None:
        super().__init__(words)
        self.result, self.words = result, words


def known(domain: str, announced: str) -> Known:
    """The policy of a domain whose record announces an id ("": there is no record). May ask the domain.

    A policy of mode none comes as such.
    """
    now = clock.now()
    kept = STSPolicy.objects.filter(domain=domain).first()
    if not announced or not _is_due(kept, announced, now):
        return _as_known(kept, now)
    if not connection.in_atomic_block:
        give_back()  # a connection to the database is not held while a stranger takes his time
    try:
        policy = _fetch(domain)
    except _Unfetched as failed:
        _note_failure(domain, failed, now)
        last = _as_known(kept, now)
        return Known(last.policy, failed.result, failed.words)
    _keep(domain, announced, policy, now)
    return Known(policy)


def _is_due(kept: STSPolicy | None, announced: str, now: dt.datetime) -> bool:
    if kept is None:
        return True
    if kept.failure:
        return now >= kept.refresh_at
    is_over = kept.expires_at is None or kept.expires_at <= now
    return kept.record_id != announced or is_over or now >= kept.refresh_at


def _as_known(kept: STSPolicy | None, now: dt.datetime) -> Known:
    if kept is None:
        return Known()
    failure = Result(kept.failure) if kept.failure else None
    if kept.expires_at is None or kept.expires_at <= now:
        return Known(None, failure, kept.failure_words)
    return Known(mta_sts.parse_policy(kept.text), failure, kept.failure_words)


def _fetch(domain: str) -> Policy:
    """Ask the domain itself. (RFC 8461 §3.3)"""
    try:
        answer = http.get(
            f"mta-sts.{domain}",
            "/.well-known/mta-sts.txt",
            port=HTTPS_PORT,
            seconds=limits.STS_FETCH_SECONDS,
            octets=limits.STS_POLICY_OCTETS + 1,
        )
    except http.Failed as error:
        is_certificate = isinstance(error.__cause__, ssl.SSLCertVerificationError)
        raise _Unfetched(
            Result.WEBPKI_INVALID if is_certificate else Result.FETCH_ERROR, str(error)
        ) from error
    if answer.code != 200:  # a redirect too: it must not be followed
        raise _Unfetched(Result.FETCH_ERROR, f"the answer was {answer.code}")
    kind = answer.content_type.partition(";")[0].strip().lower()
    if kind != "text/plain":
        raise _Unfetched(Result.POLICY_INVALID, "the policy is not text/plain")
    try:
        return mta_sts.parse_policy(answer.text)
    except Broken as error:
        raise _Unfetched(Result.POLICY_INVALID, str(error)) from error


def _keep(domain: str, announced: str, policy: Policy, now: dt.datetime) -> None:
    again = min(policy.max_age / 2, limits.STS_REFRESH_SECONDS)
    values = (
        domain, announced, policy.text, sql.moment(now),
        sql.moment(now + dt.timedelta(seconds=policy.max_age)),
        sql.moment(now + dt.timedelta(seconds=again)), "", "",
    )  # fmt: skip
    ledger.durably(lambda: sql.execute(_KEEP, values))


def _note_failure(domain: str, failed: _Unfetched, now: dt.datetime) -> None:
    again = sql.moment(now + dt.timedelta(seconds=limits.STS_AGAIN_SECONDS))
    values = (domain, "", "", None, None, again, failed.result.value, sql.text(failed.words)[:300])
    ledger.durably(lambda: sql.execute(_FAIL, values))


_COLUMNS = (
    "domain", "record_id", "text", "fetched_at", "expires_at", "refresh_at", "failure", "failure_words",
)  # fmt: skip
_KEEP = sql.insert_statement(
    "sts_policy",
    _COLUMNS,
    f"ON CONFLICT (domain) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _COLUMNS[1:])}",
)
_FAIL = sql.insert_statement(
    "sts_policy",
    _COLUMNS,
    "ON CONFLICT (domain) DO UPDATE SET refresh_at = excluded.refresh_at, failure = excluded.failure,"
    " failure_words = excluded.failure_words",
)


def refresh(limit: int = 20) -> int:
    """Fetch policies anew that are to be looked at again and still count; how many were looked at."""
    now = clock.now()
    due = STSPolicy.objects.filter(refresh_at__lte=now, expires_at__gt=now).order_by("refresh_at")
    names = list(due.values_list("domain", flat=True)[:limit])
    for domain in names:
        try:
            policy = _fetch(domain)
        except _Unfetched as failed:
            _note_failure(domain, failed, now)
        else:
            _keep(domain, _announced(domain), policy, now)
    return len(names)


def _announced(domain: str) -> str:
    """The id that the domain's record has now; "" fetches once more at the next mail, and does no harm."""
    try:
        return mta_sts.record_id(dns.txt(f"_mta-sts.{domain}"))
    except MailError:
        return ""


def prune() -> int:
    """Forget policies that count no more; how many went, at most a thousand."""
    now = clock.now()
    over = STSPolicy.objects.filter(refresh_at__lte=now - dt.timedelta(days=1))
    over = over.exclude(expires_at__gt=now)
    gone, _kinds = STSPolicy.objects.filter(pk__in=list(over.values_list("pk", flat=True)[:1000])).delete()
    return gone
