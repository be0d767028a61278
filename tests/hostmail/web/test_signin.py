import re
from urllib.parse import urlsplit

import pytest
from django.core import mail as outbox
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from mailcore import limits
from mailcore.models import Membership, Tenant, User
from mailcore.outside import counters
from mailcore.services import addresses, logins, tenants, users
from tests.cast import PASSWORD, Cast, make_domain, make_mailbox, make_tenant, make_user
from tests.fakes import FakeClock


@pytest.fixture(autouse=True)
def fresh_counts():
    counters.forget_all() if hasattr(counters, "forget_all") else None
    logins.forget_all()
    cache.clear()  # allauth's own rates


@pytest.fixture
def cast(db) -> Cast:
    return Cast()


def sign_in(client, login: str, password: str = PASSWORD):
    return client.post(reverse("account_login"), {"login": login, "password": password})


def signed_in_as(client) -> str | None:
    pk = client.session.get("_auth_user_id")
    return User.objects.get(pk=pk).email if pk else None


def test_lets_in_by_email_mailbox_address_and_alias(cast, client):
    person = make_user("dora@outside.example")
    Membership.objects.create(tenant=cast.alice.tenant, user=person, role="member")
    make_mailbox(cast.alice.tenant, "dora@acme.test", owner=person)
    addresses.add_alias(cast.alice.tenant, "d@acme.test", ["dora@acme.test"], actor=None)
    for name in ("dora@outside.example", "Dora@ACME.test", "d@acme.test"):
        client.logout()
        assert sign_in(client, name).status_code == 302
        assert signed_in_as(client) == "dora@outside.example"


def test_refuses_a_wrong_password_an_unknown_name_and_a_closed_account(cast, client):
    texts = {sign_in(client, "alice@acme.test", "wrong").content.count(b"field__error")}
    assert signed_in_as(client) is None
    texts.add(sign_in(client, "nobody@acme.test").content.count(b"field__error"))
    users.deactivate(cast.bob.user, actor=None)
    sign_in(client, cast.bob.address)
    assert signed_in_as(client) is None
    assert len(texts) == 1


def test_makes_who_keeps_guessing_wait_without_holding_a_thread(cast, client):
    with FakeClock() as fake:
        for number in range(limits.LOGIN_FREE_TRIES + 1):
            assert b"please wait" not in sign_in(client, cast.alice.address, f"wrong {number}").content
        counted = counters.count(f"login-name:{cast.alice.address}", limits.LOGIN_WINDOW_SECONDS)
        held = sign_in(client, cast.alice.address)
        assert b"please wait" in held.content
        assert (held.status_code, held.headers["Retry-After"]) == (429, str(limits.LOGIN_HOLD_SECONDS))
        assert signed_in_as(client) is None
        assert counters.count(f"login-name:{cast.alice.address}", limits.LOGIN_WINDOW_SECONDS) == counted
        assert sign_in(client, cast.bob.address).status_code == 302
        client.logout()
        fake.advance(2 * limits.LOGIN_HOLD_SECONDS)
        assert sign_in(client, cast.alice.address).status_code == 302


def test_an_unproven_domain_opens_no_mailbox_owners_account(cast, client):
    tenant = make_tenant("Claim")
    make_domain(tenant, "claim.test", verified=False)
    person = make_user("eve@outside.example")
    make_mailbox(tenant, "eve@claim.test", owner=person)
    sign_in(client, "eve@claim.test")
    assert signed_in_as(client) is None


def test_slows_guessing_down_with_the_count_of_all_doors(cast, client):
    for _ in range(limits.LOGIN_TRIES_PAIR):
        logins.failed("alice@acme.test", "127.0.0.1")
    answer = sign_in(client, "alice@acme.test")
    assert b"Too many failed attempts" in answer.content
    assert signed_in_as(client) is None


def test_a_suspended_tenant_ends_sessions_at_the_next_request(cast, client):
    sign_in(client, cast.alice.address)
    assert signed_in_as(client) == "alice@acme.test"
    tenants.suspend(cast.alice.tenant, "unpaid", actor=None)
    assert client.get("/").headers["Location"].startswith(reverse("account_login"))
    client.logout()
    assert b"suspended" in sign_in(client, cast.alice.address).content
    assert signed_in_as(client) is None


SIGNUP = {"organisation": "Zebra & Sons", "email": "z@outside.example", "password1": PASSWORD}


def test_sign_up_makes_a_person_and_their_organisation(db, client, settings):
    settings.HOSTMAIL_SIGNUP = "open"
    answer = client.post(reverse("account_signup"), SIGNUP)
    assert answer.status_code == 302, answer.content
    tenant = Tenant.objects.get()
    assert (tenant.name, tenant.memberships.get().role) == ("Zebra & Sons", "owner")
    assert signed_in_as(client) == "z@outside.example"
    assert len(outbox.outbox) == 1


def test_sign_up_is_closed_when_the_operator_says_so(db, client, settings):
    settings.HOSTMAIL_SIGNUP = "closed"
    assert b"closed" in client.post(reverse("account_signup"), SIGNUP).content
    assert not User.objects.exists()


def test_nobody_signs_up_with_an_address_of_a_proven_domain(cast, client, settings):
    settings.HOSTMAIL_SIGNUP = "open"
    client.post(reverse("account_signup"), {**SIGNUP, "email": "boss@acme.test"})
    assert not User.objects.filter(email="boss@acme.test").exists()


# --- A lost password (W15, W16) --------------------------------------------------------------------------


def reset_link(client, name: str, **more) -> str | None:
    outbox.outbox.clear()
    answer = client.post(reverse("account_reset_password"), {"email": name}, **more)
    assert answer.status_code == 302
    found = (
        re.search(r"https?://\S+/accounts/password/reset/key/\S+", outbox.outbox[0].body)
        if outbox.outbox
        else None
    )
    return found[0] if found else None


def test_mails_a_link_to_the_address_outside_whatever_name_was_typed(cast, client, settings):
    addresses.add_alias(cast.alice.tenant, "boss@acme.test", [cast.alice.address], actor=None)
    User.objects.filter(pk=cast.alice.user.pk).update(recovery_email="alice@outside.example")
    for name in ("ALICE@acme.test", "boss@acme.test", "alice@outside.example"):
        link = reset_link(client, name, headers={"Host": "127.0.0.1"})
        assert link.startswith(settings.HOSTMAIL_PUBLIC_URL)
        assert outbox.outbox[0].to == ["alice@outside.example"]


def test_says_the_same_of_names_that_nobody_has(cast, client):
    there = client.post(reverse("account_reset_password"), {"email": cast.alice.address})
    outbox.outbox.clear()
    nobody = client.post(reverse("account_reset_password"), {"email": "nobody@acme.test"})
    assert (there.status_code, there.headers["Location"]) == (nobody.status_code, nobody.headers["Location"])
    assert not outbox.outbox


def test_a_link_sets_one_password_and_ends_what_was_signed_in(cast, client):
    elsewhere = Client()
    sign_in(elsewhere, cast.alice.address)
    path = urlsplit(reset_link(client, cast.alice.address)).path
    form = client.get(path).headers["Location"]
    client.post(form, {"password1": "a quite different one", "password2": "a quite different one"})
    assert User.objects.get(pk=cast.alice.user.pk).check_password("a quite different one")
    assert elsewhere.get(reverse("web:app_passwords")).status_code == 302
    again = client.get(path, follow=True)
    assert b"password1" not in again.content


def test_a_suspended_person_gets_no_link(cast, client):
    tenants.suspend(cast.alice.tenant, actor=None)
    assert reset_link(client, cast.alice.address) is None


def test_finds_nobody_by_a_recovery_address_that_two_people_gave(cast, client):
    User.objects.filter(pk__in=[cast.alice.user.pk, cast.bob.user.pk]).update(
        recovery_email="x@outside.example"
    )
    assert reset_link(client, "x@outside.example") is None
