"""Members, keys, app passwords, access to mailboxes, settings and what happened."""

import re

import pytest
from django.core import mail as outbox
from django.test import Client
from django.urls import reverse

from mailcore.models import (
    Access,
    Address,
    ApiToken,
    AppPassword,
    Domain,
    Invitation,
    Mailbox,
    Membership,
    Tenant,
    User,
)
from mailcore.services import events, mailboxes, tenants, users
from tests.cast import PASSWORD, Cast, make_mailbox, make_user


@pytest.fixture
def cast(db) -> Cast:
    return Cast()


def client_of(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user)
    return client


@pytest.fixture
def alice(cast) -> Client:
    return client_of(cast.alice.user)


def at(cast: Cast, name: str, *args) -> str:
    return reverse(f"web:{name}", args=[cast.alice.tenant.slug, *args])


def test_never_redirects_to_another_site(cast, client):
    """W45."""
    for target in ("https://evil.example/", "//evil.example/", "/\\evil.example"):
        data = {"login": cast.alice.address, "password": PASSWORD, "next": target}
        answer = client.post(reverse("account_login"), data)
        assert answer.headers["Location"] == "/"
        client.logout()


# --- Mailboxes -------------------------------------------------------------------------------------------


def test_gives_a_mailbox_addresses_and_people(alice, cast):
    box = cast.bob.mailbox
    for name in ("mailbox_address_add", "mailbox_person_add"):
        assert alice.get(at(cast, name, box.public_id)).status_code == 200
        assert client_of(cast.charlie.user).get(at(cast, name, box.public_id)).status_code == 404
    alice.post(at(cast, "mailbox_address_add", box.public_id), {"address": "robert@acme.test"})
    second = Address.objects.get(local_part="robert")
    assert second.mailbox_id == box.pk
    wrong = alice.post(at(cast, "mailbox_address_add", box.public_id), {"address": "robert@charlie.test"})
    assert wrong.status_code == 422
    alice.post(at(cast, "mailbox_address_remove", box.public_id, second.public_id))
    assert not Address.objects.filter(pk=second.pk).exists()
    main = box.primary_address
    alice.post(at(cast, "mailbox_address_remove", box.public_id, main.public_id))
    assert Address.objects.filter(pk=main.pk).exists()

    data = {"email": cast.alice.address, "rights": ["1", "2"]}
    alice.post(at(cast, "mailbox_person_add", box.public_id), data)
    assert Access.objects.get(mailbox=box, user=cast.alice.user).rights == 3
    assert b"read, change" in alice.get(at(cast, "mailbox", box.public_id)).content
    alice.post(at(cast, "mailbox_person_remove", box.public_id, cast.alice.user.public_id))
    assert not Access.objects.filter(mailbox=box, user=cast.alice.user).exists()
    alice.post(at(cast, "mailbox_person_remove", box.public_id, cast.bob.user.public_id))
    assert Access.objects.filter(mailbox=box, user=cast.bob.user).exists()
    for wrong in (
        {"email": cast.charlie.address, "rights": ["1"]},
        {"email": cast.alice.address, "rights": ["2"]},
    ):
        assert alice.post(at(cast, "mailbox_person_add", box.public_id), wrong).status_code == 422


def test_a_shared_mailbox_is_run_on_one_page(alice, cast):
    office = make_mailbox(cast.alice.tenant, "office@acme.test", kind="shared")
    page = at(cast, "mailbox", office.public_id)
    assert b"Shared/office@acme.test" in alice.get(page).content
    assert b"Shared/" not in alice.get(at(cast, "mailbox", cast.bob.mailbox.public_id)).content
    give = at(cast, "mailbox_person_add", office.public_id)
    alice.post(give, {"email": cast.bob.address, "rights": ["1", "4"]})
    change = alice.get(f"{give}?who={cast.bob.address}").text
    assert f'value="{cast.bob.address}"' in change
    assert [f'value="{bit}" ' in change for bit in (1, 2, 4, 8)] == [True] * 4
    assert len(re.findall(r"<input[^>]*checked", change)) == 2
    sent = at(cast, "mailbox_sent", office.public_id)
    for keep in (True, False):
        assert alice.post(sent, {"keep": "yes" if keep else "no"}).status_code == 302
        office.refresh_from_db()
        assert (office.file_sent_smtp, office.file_sent_api) == (keep, keep)
    assert client_of(cast.bob.user).post(sent, {"keep": "yes"}).status_code == 404
    assert client_of(cast.charlie.user).post(sent, {"keep": "yes"}).status_code == 404


def new_mailbox(cast, **more) -> dict[str, str]:
    domain = cast.alice.domain.name
    return {"local": "dora", "domain": domain, "megabytes": "2048", "kind": "personal", **more}


def test_makes_a_password_and_shows_it_once(alice, cast):
    answer = alice.post(at(cast, "mailbox_add"), new_mailbox(cast))
    secret = re.search(rb'data-copy="([^"]+)"', answer.content)[1].decode()
    assert "no-store" in answer.headers["Cache-Control"]
    came = mailboxes.authenticate("dora@acme.test", secret, protocol="imap", peer=None)
    assert Mailbox.objects.get(pk=came.mailbox_id).quota_octets == 2 << 30
    made = Mailbox.objects.get(pk=came.mailbox_id)
    assert secret not in alice.get(at(cast, "mailbox", made.public_id)).content.decode()


def test_lets_one_type_the_domain_where_there_are_too_many_to_choose_from(alice, cast):
    Domain.objects.bulk_create(Domain(tenant=cast.alice.tenant, name=f"d{n}.example") for n in range(101))
    assert b"d57.example" not in alice.get(at(cast, "mailbox_add")).content
    assert alice.post(at(cast, "mailbox_add"), new_mailbox(cast, domain="d57.example")).status_code == 200
    assert Mailbox.objects.filter(addresses__domain__name="d57.example").exists()
    wrong = new_mailbox(cast, domain="nowhere.example")
    assert alice.post(at(cast, "mailbox_add"), wrong).status_code == 422


def test_makes_a_shared_mailbox_without_a_password(alice, cast):
    answer = alice.post(at(cast, "mailbox_add"), new_mailbox(cast, local="team", kind="shared"))
    assert answer.status_code == 302
    assert not User.objects.filter(email="team@acme.test").exists()
    wrong = new_mailbox(cast, local="other", kind="shared", password=PASSWORD)
    assert alice.post(at(cast, "mailbox_add"), wrong).status_code == 422


def test_ignores_fields_that_the_form_does_not_have(alice, cast):
    """W5; and a domain of another tenant is no choice."""
    more = {"tenant": cast.charlie.tenant.pk, "is_staff": "on", "used_octets": "5", "owner": "1"}
    alice.post(at(cast, "mailbox_add"), new_mailbox(cast, **more))
    box = Mailbox.objects.get(addresses__local_part="dora")
    assert (box.tenant_id, box.used_octets) == (cast.alice.tenant.pk, 0)
    assert not User.objects.get(email="dora@acme.test").is_staff
    foreign = new_mailbox(cast, local="spy", domain=cast.charlie.domain.name)
    assert alice.post(at(cast, "mailbox_add"), foreign).status_code == 422


def test_leads_to_ones_other_organisations(alice, cast):
    assert b"Second" not in alice.get(at(cast, "domains")).content
    second = tenants.create("Second", owner=cast.alice.user, actor=None)
    tenants.create("Stranger", actor=None)
    page = alice.get(at(cast, "domains")).content.decode()
    assert reverse("web:overview", args=[second.slug]) in page
    assert "Stranger" not in page


@pytest.mark.parametrize("name", ["charlie.test", "CHARLIE.test.", "mail.charlie.test", "localhost", "com"])
def test_refuses_domains_of_others_and_reserved_ones(alice, cast, name):
    """W9, W13."""
    assert alice.post(at(cast, "domain_add"), {"name": name}).status_code == 422
    assert Domain.objects.filter(tenant=cast.alice.tenant).count() == 1


def test_takes_no_address_of_another_mailbox_away(cast):
    """W2: one's own mailbox in the path, another's address behind it."""
    charlie = client_of(cast.charlie.user)
    box = cast.charlie.mailbox
    foreign = cast.alice.mailbox.primary_address.public_id
    url = reverse("web:mailbox_address_remove", args=[cast.charlie.tenant.slug, box.public_id, foreign])
    assert charlie.post(url).status_code == 404


def test_lists_many_mailboxes_with_few_queries(alice, cast, django_assert_max_num_queries):
    for number in range(60):
        make_mailbox(cast.alice.tenant, f"m{number:02}@acme.test", kind="shared")
    with django_assert_max_num_queries(12):
        page = alice.get(at(cast, "mailboxes")).content.decode()
    assert page.count('class="row-link"') == 50
    assert "1-50 of 62" in page
    found = alice.get(at(cast, "mailboxes"), {"q": "m59@acme"}).content.decode()
    assert found.count('class="row-link"') == 1


# --- Members ---------------------------------------------------------------------------------------------


def invited(alice, cast, email: str, role: str = "admin") -> str:
    page = alice.post(at(cast, "member_invite"), {"email": email, "role": role}).content.decode()
    return re.search(r'data-copy="[^"]*(/invitations/[^"]+)"', page)[1]


def test_invites_somebody_new_who_joins(alice, cast, settings):
    link = invited(alice, cast, "eve@outside.example")
    assert settings.HOSTMAIL_PUBLIC_URL + link in outbox.outbox[-1].body
    eve = Client()
    assert b"eve@outside.example" in eve.get(link).content
    answer = eve.post(link, {"name": "Eve", "password": PASSWORD})
    assert answer.headers["Location"] == at(cast, "overview")
    assert eve.get(at(cast, "overview")).status_code == 200
    assert Client().get(link).status_code == 404  # used


def test_lets_only_the_holder_of_an_account_accept_for_it(alice, cast):
    link = invited(alice, cast, cast.charlie.address)
    assert b"Sign in to accept" in Client().get(link).content
    assert Client().post(link, {"name": "X", "password": PASSWORD}).status_code == 200
    assert not Membership.objects.filter(tenant=cast.alice.tenant, user=cast.charlie.user).exists()
    client_of(cast.charlie.user).post(link + "accept/")
    assert Membership.objects.get(tenant=cast.alice.tenant, user=cast.charlie.user).role == "admin"


def test_withdraws_an_invitation(alice, cast):
    link = invited(alice, cast, "eve@outside.example")
    alice.post(at(cast, "invitation_withdraw", Invitation.objects.get().pk))
    assert Client().get(link).status_code == 404


def test_keeps_the_last_owner(alice, cast):
    me = cast.alice.user.public_id
    assert alice.post(at(cast, "member", me), {"role": "member"}).status_code == 422
    assert alice.post(at(cast, "member_remove", me)).status_code == 422
    alice.post(at(cast, "member", cast.bob.user.public_id), {"role": "owner"})
    assert alice.post(at(cast, "member", me), {"role": "admin"}).status_code == 302


def test_an_administrator_makes_no_owners(cast):
    admin = make_user("admin@acme.test")
    Membership.objects.create(tenant=cast.alice.tenant, user=admin, role="admin")
    answer = client_of(admin).post(at(cast, "member", admin.public_id), {"role": "owner"})
    assert answer.status_code == 422
    answer = client_of(admin).post(at(cast, "member_invite"), {"email": "e@x.example", "role": "owner"})
    assert answer.status_code == 422


# --- Keys and app passwords ------------------------------------------------------------------------------


def test_issues_a_key_shows_it_once_and_revokes_it(alice, cast):
    answer = alice.post(at(cast, "tokens"), {"name": "script"})
    secret = re.search(rb'data-copy="(hm_[^"]+)"', answer.content)[1].decode()
    assert "no-store" in answer.headers["Cache-Control"]
    token = users.authenticate_token(secret)
    assert token
    assert token.tenant == cast.alice.tenant
    assert secret not in alice.get(at(cast, "tokens")).content.decode()
    alice.post(at(cast, "token_revoke", token.public_id))
    assert users.authenticate_token(secret) is None
    assert ApiToken.objects.count() == 1


def test_people_make_app_passwords_for_mailboxes_they_may_read(cast):
    bob = client_of(cast.bob.user)
    url = reverse("web:app_passwords")
    page = bob.post(url, {"name": "phone", "mailbox": cast.bob.mailbox.public_id}).content
    secret = re.search(rb'data-copy="([^"]+)"', page)[1].decode()
    assert mailboxes.authenticate(cast.bob.address, secret, protocol="imap", peer=None)
    assert bob.post(url, {"name": "x", "mailbox": cast.alice.mailbox.public_id}).status_code == 422
    made = AppPassword.objects.get()
    revoke = reverse("web:app_password_revoke", args=[made.public_id])
    assert client_of(cast.charlie.user).post(revoke).status_code == 404
    bob.post(revoke)
    assert AppPassword.objects.get(pk=made.pk).revoked_at


# --- Settings and events ---------------------------------------------------------------------------------


def test_saves_the_settings(alice, cast):
    alice.post(at(cast, "settings"), {"name": "Acme Ltd", "retention_days": "7", "event_days": "30"})
    tenant = Tenant.objects.get(pk=cast.alice.tenant.pk)
    assert (tenant.name, tenant.retention_days, tenant.event_days) == ("Acme Ltd", 7, 30)


def test_tells_what_happened_to_ones_own_mail_only(alice, cast):
    for tenant, who in ((cast.alice.tenant, "dora"), (cast.charlie.tenant, "secret")):
        events.record(
            "relayed",
            tenant_id=tenant.pk,
            trace=f"t{who}",
            sender="a@acme.test",
            recipient=f"{who}@x.example",
        )
    page = alice.get(at(cast, "events")).content.decode()
    assert "dora@x.example" in page
    assert reverse("web:trace", args=["acme", "tdora"]) in page
    assert "secret@x.example" not in page
    assert "dora@x.example" not in alice.get(at(cast, "events"), {"q": "nobody@x.example"}).content.decode()
    page = alice.get(at(cast, "events"), {"q": "tsecret"}).content.decode()
    assert "secret@x.example" not in page


def test_escapes_what_people_type(alice, cast):
    """W20: markup in a name is text."""
    alice.post(at(cast, "settings"), {"name": "<b>Bold</b>", "retention_days": "7", "event_days": "30"})
    for name in ("overview", "members", "domains"):
        assert b"<b>Bold</b>" not in alice.get(at(cast, name)).content


def test_ends_the_sessions_of_who_got_a_new_password(cast):
    """W16."""
    bob = client_of(cast.bob.user)
    users.set_password(cast.bob.user, "a quite different one", actor=None)
    assert bob.get(reverse("web:app_passwords")).status_code == 302
