"""Webhooks: what happened to a tenant's mail, posted to its own programs.

Events are the truth; a sweep makes a post of each that a webhook is for, exactly one, and posts are tried on
a growing schedule until the other side says 2xx. Signed as standardwebhooks.com has it: an HMAC-SHA256 over
id, moment and body, so that receivers can use ready-made libraries. Nobody waits for any of this.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from mailcore import limits, secrets
from mailcore.errors import BadValue, NotAllowedNow, NotFound
from mailcore.models import Event, Tenant, User, Webhook, WebhookPost
from mailcore.outside import clock, http
from mailcore.services import audit, races, sql

KINDS = ("filed", "submitted", "relayed", "deferred", "bounced", "complained", "dropped")
TEST = "test"
_PURPOSE = "webhook"
State = WebhookPost.State


def add(tenant: Tenant, url: str, kinds: Collection[str], *, actor: User | None) -> tuple[Webhook, str]:
    """Post events of these kinds to url from now on; the webhook and its secret, which is shown once.

    Raises BadValue.
    """
    http.checked_url(url)
    chosen = _checked(kinds)
    key = os.urandom(32)
    with races.change():
        if Webhook.objects.filter(tenant=tenant).count() >= limits.WEBHOOKS:
            raise BadValue(f"An organisation may have at most {limits.WEBHOOKS} webhooks")
        newest = (
            Event.objects.filter(tenant_id=tenant.pk).order_by("-id").values_list("id", flat=True).first()
        )
        made = Webhook.objects.create(
            tenant=tenant, url=url, kinds=chosen, secret=secrets.seal(_PURPOSE, key),
            event_id=newest or 0, created_at=clock.now(),
        )  # fmt: skip
        audit.record(actor, "webhook.add", made, data={"kinds": chosen})
    return made, f"whsec_{base64.b64encode(key).decode()}"


def change(
    webhook: Webhook,
    *,
    url: str | None = None,
    kinds: Collection[str] | None = None,
    is_enabled: bool | None = None,
    actor: User | None,
) -> Webhook:
    """Change what is not None. What happens while a webhook is off is not posted later. Raises BadValue."""
    if url is not None:
        http.checked_url(url)
        webhook.url = url
    if kinds is not None:
        webhook.kinds = _checked(kinds)
    if is_enabled is not None:
        webhook.is_enabled = is_enabled
    with races.change():
        webhook.save(update_fields=["url", "kinds", "is_enabled"])
        audit.record(actor, "webhook.change", webhook)
    return webhook


def remove(webhook: Webhook, *, actor: User | None) -> None:
    """Post nothing there any more, and forget what was posted. Raises NotFound if somebody was faster."""
    with races.change():
        audit.record(actor, "webhook.remove", webhook)
        if not Webhook.objects.filter(pk=webhook.pk).delete()[0]:
            raise NotFound


def _checked(kinds: Collection[str]) -> str:
    chosen = [kind for kind in KINDS if kind in kinds]
    if not chosen or set(kinds) - set(KINDS):
        raise BadValue(f"Choose among: {', '.join(KINDS)}")
    return " ".join(chosen)


def try_out(webhook: Webhook, *, actor: User | None) -> WebhookPost:
    """Post something that never happened, now."""
    now = clock.now()
    with races.change():
        body = {"type": TEST, "timestamp": now.isoformat(), "data": {"webhook": webhook.public_id}}
        # Events have positive numbers: these count down.
        last = webhook.posts.filter(event_id__lt=0).order_by("event_id").values_list("event_id", flat=True)
        made = WebhookPost.objects.create(
            webhook=webhook, event_id=(last.first() or 0) - 1, kind=TEST, body=json.dumps(body), due_at=now,
            created_at=now,
        )  # fmt: skip
        audit.record(actor, "webhook.test", webhook)
    return made


def replay(post: WebhookPost, *, actor: User | None) -> WebhookPost:
    """Post once more what was taken or given up. Raises NotAllowedNow while it waits anyway."""
    with races.change():
        changed = WebhookPost.objects.filter(pk=post.pk).exclude(state=State.WAITING).update(
            state=State.WAITING, due_at=clock.now(), attempt_count=0, finished_at=None, lease_until=None
        )  # fmt: skip
        if not changed:
            raise NotAllowedNow("It is waiting to be posted already")
        audit.record(actor, "webhook.replay", post.webhook)
    post.refresh_from_db()
    return post


# --- From events to posts --------------------------------------------------------------------------------


def gather() -> int:
    """Make posts of what has happened; how many."""
    return sum(_gather(webhook) for webhook in Webhook.objects.filter(tenant__state=Tenant.State.ACTIVE))


def _gather(webhook: Webhook) -> int:
    """Posts for one webhook.

    Numbers are given before transactions commit, so an event may appear behind a later one: what is younger
    than the longest transaction is looked at again, and the unique constraint keeps each post single.
    """
    now = clock.now()
    settled = now - dt.timedelta(seconds=limits.WEBHOOK_SETTLE_SECONDS)
    rows = list(
        Event.objects.filter(tenant_id=webhook.tenant_id, id__gt=webhook.event_id).order_by("id")[
            : limits.WEBHOOK_EVENTS
        ]
    )
    kinds = webhook.kinds.split() if webhook.is_enabled else []
    posts = [
        WebhookPost(
            webhook=webhook, event_id=event.pk, kind=event.kind, body=json.dumps(_shown(event)), due_at=now,
            created_at=now,
        )
        for event in rows
        if event.kind in kinds and event.at >= webhook.created_at
    ]  # fmt: skip
    known = set(
        WebhookPost.objects.filter(
            webhook=webhook, event_id__in=[post.event_id for post in posts]
        ).values_list("event_id", flat=True)
    )
    new = [post for post in posts if post.event_id not in known]
    reached = max((event.pk for event in rows if event.at <= settled), default=webhook.event_id)
    if new or reached != webhook.event_id:
        with transaction.atomic():
            WebhookPost.objects.bulk_create(new, ignore_conflicts=True)
            Webhook.objects.filter(pk=webhook.pk).update(event_id=reached)
    return len(new)


def _shown(event: Event) -> dict[str, Any]:
    """The body of a post."""
    return {
        "type": event.kind,
        "timestamp": event.at.isoformat(),
        "data": {
            "trace": event.trace,
            "sender": event.sender,
            "recipient": event.recipient,
            **{name: value for name, value in event.data.items() if name not in ("trace", "sender")},
        },
    }


# --- Posting ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Job:
    pk: int
    webhook_id: int
    public_id: str
    body: str
    attempt_count: int
    url: str
    secret: bytes


def post_due() -> int:
    """Post what is due; how many were tried. A webhook that cannot be reached is tried once in a round."""
    tried, silent = 0, set()
    for job in _claim():
        if job.webhook_id in silent:
            # Behind those of others, or many for a host that is down would be in everybody's way.
            later = clock.now() + dt.timedelta(seconds=limits.WEBHOOK_RETRY_SECONDS[0])
            WebhookPost.objects.filter(pk=job.pk).update(lease_until=None, due_at=later)
            continue
        tried += 1
        if not _post(job):
            silent.add(job.webhook_id)
    return tried


def _claim() -> list[_Job]:
    """Take due posts under a lease, oldest first."""
    now = clock.now()
    lease = now + dt.timedelta(seconds=limits.WEBHOOK_LEASE_SECONDS)
    moment = sql.moment(now)
    free = "p.state = 'waiting' AND p.due_at <= %s AND (p.lease_until IS NULL OR p.lease_until < %s)"
    locking = "" if sql.is_sqlite() else " FOR UPDATE OF p SKIP LOCKED"
    with transaction.atomic():
        taken = sql.rows(
            "UPDATE webhook_post SET lease_until = %s WHERE id IN (SELECT p.id FROM webhook_post p"
            " JOIN webhook w ON w.id = p.webhook_id AND w.is_enabled"
            " JOIN tenant t ON t.id = w.tenant_id AND t.state = 'active'"
            f" WHERE {free} ORDER BY p.due_at, p.id LIMIT %s{locking}) RETURNING id",
            (sql.moment(lease), moment, moment, limits.WEBHOOK_BATCH),
        )
    rows = WebhookPost.objects.filter(pk__in=[row[0] for row in taken]).select_related("webhook")
    return [
        _Job(
            row.pk, row.webhook_id, row.public_id, row.body, row.attempt_count, row.webhook.url,
            bytes(row.webhook.secret),
        )
        for row in rows.order_by("due_at", "pk")
    ]  # fmt: skip


def _post(job: _Job) -> bool:
    """Try one post and write down what came of it; whether the other side answered at all."""
    now = clock.now()
    body, seconds = job.body.encode(), str(int(now.timestamp()))
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Hostmail",
        "webhook-id": job.public_id,
        "webhook-timestamp": seconds,
        "webhook-signature": sign(secrets.open_sealed(_PURPOSE, job.secret), job.public_id, seconds, body),
    }
    code, words = None, ""
    try:
        answer = http.post(job.url, body, headers)
    except http.Failed as failed:
        words = str(failed)
    else:
        code, words = answer.code, answer.text
    done = code is not None and 200 <= code < 300
    steps = limits.WEBHOOK_RETRY_SECONDS
    given_up = not done and job.attempt_count >= len(steps)
    values: dict[str, Any] = {
        "attempt_count": job.attempt_count + 1, "last_code": code, "last_words": sql.text(words)[:500],
        "lease_until": None,
    }  # fmt: skip
    if done or given_up:
        values |= {"state": State.DONE if done else State.FAILED, "finished_at": clock.now()}
    else:
        values["due_at"] = clock.now() + dt.timedelta(seconds=steps[job.attempt_count])
    WebhookPost.objects.filter(pk=job.pk, state=State.WAITING).update(**values)
    return code is not None


def sign(key: bytes, public_id: str, seconds: str, body: bytes) -> str:
    """The signature of one post: "v1," and base64."""
    signed = b".".join((public_id.encode(), seconds.encode(), body))
    return f"v1,{base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()}"


def prune() -> int:
    """Forget some posts that ended long ago; how many."""
    before = clock.now() - dt.timedelta(seconds=limits.WEBHOOK_KEPT_SECONDS)
    some = WebhookPost.objects.filter(finished_at__lt=before).values_list("pk", flat=True)[:1000]
    return WebhookPost.objects.filter(pk__in=list(some)).delete()[0]
