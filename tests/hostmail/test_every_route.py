"""Every address of the site, found in the URL conf, tried by a stranger and by another customer. (P11)

A route that lands tomorrow is tried by itself: with every id of Alice's that its pattern takes.
"""

import itertools
from collections.abc import Iterator
from inspect import iscoroutinefunction

import pytest
from django.conf import settings
from django.test import Client
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from mailcore.services import addresses, events, folders, groups, mailboxes, tenants, users
from tests.cast import Cast

pytestmark = pytest.mark.once  # who may see what is decided above the database

MOST_IDS = 13  # values tried for one placeholder


def routes(patterns, spaces: tuple[str, ...] = (), outer: tuple[str, ...] = ()) -> Iterator[tuple[str, set]]:
    """(name, its placeholders) of every named route; not of streams, which the plain client cannot close."""
    for found in patterns:
        taken = (*outer, *found.pattern.regex.groupindex)
        if isinstance(found, URLResolver):
            inner = (*spaces, found.namespace) if found.namespace else spaces
            yield from routes(found.url_patterns, inner, taken)
        elif isinstance(found, URLPattern) and found.name and not iscoroutinefunction(found.callback):
            yield ":".join((*spaces, found.name)), set(taken)


@pytest.fixture
def cast(db) -> Cast:
    return Cast()


@pytest.fixture
def ids(cast) -> dict[str, list]:
    """Values of Alice's for each name a placeholder may have; "" for all other names."""
    alice = cast.alice
    alias = addresses.add_alias(alice.tenant, "info@acme.test", ["alice@acme.test"], actor=None)
    token, _ = users.issue_token(alice.user, "script", tenant=alice.tenant, actor=None)
    app, _ = mailboxes.add_app_password(alice.user, alice.mailbox, "phone")
    invitation, secret = tenants.invite(alice.tenant, "eve@outside.example", "member", actor=alice.user)
    events.record("filed", tenant_id=alice.tenant.pk, trace="t1", recipient=alice.address)
    group = groups.create(alice.tenant, "Sales", [alice.address], actor=None)
    rows = (alice.mailbox, alice.domain, alias, alice.user, token, app, alice.tenant, group)
    return {
        "slug": [alice.tenant.slug],
        "token": [secret],
        "": [
            *(row.public_id for row in rows), folders.by_role(alice.mailbox.pk, "inbox"), 1, invitation.pk,
            "json", "mailcore",
        ],
    }  # fmt: skip


def urls(ids: dict[str, list]) -> dict[str, list[str]]:
    """The addresses of every route."""
    made: dict[str, list[str]] = {}
    for name, taken in routes(get_resolver().url_patterns):
        keys = sorted(taken)
        choices = [ids.get(key, ids[""])[:MOST_IDS] for key in keys]
        found = made.setdefault(name, [])
        for values in itertools.islice(itertools.product(*choices), 170):
            try:
                found.append(reverse(name, kwargs=dict(zip(keys, values, strict=True))))
            except NoReverseMatch:
                continue
    return made


# Who holds the link of an invitation may see whose it is: that is what the link is for.
OPEN = {"web:invitation", "web:invitation_accept"}
MARKS = (b"acme.test", b"Alice Archer", b"Acme")


def test_finds_the_routes(ids):
    found = urls(ids)
    assert {"web:overview", "web:mailbox", "web:domain_remove", "account_login"} <= set(found)
    assert any(name.startswith("admin:") for name in found)
    assert [name for name, addresses_ in found.items() if name.startswith("web:") and not addresses_] == []


@pytest.mark.timeout(300)
@pytest.mark.parametrize("who", ["anonymous", "charlie"])
@pytest.mark.parametrize("method", ["get", "post"])
def test_shows_nothing_of_alices(cast, ids, who, method):
    client = Client(raise_request_exception=False)
    wrong = []
    is_signed_in = False
    for name, found in urls(ids).items():
        if name in OPEN:
            continue
        for url in dict.fromkeys(found):
            if who == "charlie" and not is_signed_in:
                client.force_login(cast.charlie.user)
            answer = getattr(client, method)(url)
            is_signed_in = settings.SESSION_COOKIE_NAME not in answer.cookies  # else it may be another's
            body = b"" if answer.streaming else answer.content
            if answer.status_code >= 500 or (
                answer.status_code < 400 and any(mark in body for mark in MARKS)
            ):
                wrong.append((name, url, answer.status_code))
            if url.startswith("/o/") and answer.status_code not in (302, 404, 405):
                wrong.append((name, url, answer.status_code))
            if url.startswith("/o/") and answer.status_code == 302 and who == "charlie":
                wrong.append((name, url, answer.status_code))
    assert wrong == []
    cast.alice.domain.refresh_from_db()
    cast.alice.mailbox.refresh_from_db()
    assert cast.alice.mailbox.state == "active"
