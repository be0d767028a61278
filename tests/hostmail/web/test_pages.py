import csv
import io
import re
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from hostmail.web import audit as audit_page
from hostmail.web import place
from mailcore import services
from mailcore.models import AuditEntry, Domain, Mailbox, MailboxGroup
from mailcore.services import addresses, audit, groups, logins, mailboxes, races, tenants
from tests.cast import PASSWORD, Cast


@pytest.fixture
def cast(db) -> Cast:
    logins.forget_all()
    return Cast()


def client_of(user) -> Client:
    client = Client()
    client.force_login(user, backend="hostmail.web.signin.AddressBackend")
    return client


@pytest.fixture
def alice(cast) -> Client:
    return client_of(cast.alice.user)


def page(name: str, *args) -> str:
    return reverse(f"web:{name}", args=["acme", *args])


def pages(cast) -> list[str]:
    alias = addresses.add_alias(cast.alice.tenant, "info@acme.test", ["alice@acme.test"], actor=None)
    box, domain = cast.bob.mailbox.public_id, cast.bob.domain.public_id
    group = groups.create(cast.alice.tenant, "Sales", [cast.bob.address], actor=None)
    return [
        *(
            page(name)
            for name in ("overview", "settings", "domains", "domain_add", "events", "audit", "audit_csv")
        ),
        *(page(name) for name in ("mailboxes", "mailbox_add", "aliases", "alias_add")),
        *(page(f"domain{name}", domain) for name in ("", "_zone", "_remove")),
        *(
            page(f"mailbox{name}", box)
            for name in ("", "_quota", "_name", "_password", "_suspend", "_remove", "_spam")
        ),
        *(page(f"alias{name}", alias.public_id) for name in ("", "_remove")),
        *(
            page(name)
            for name in (
                "groups",
                "group_add",
                "suppressions",
                "suppression_add",
                "webhooks",
                "quarantine",
                "spam",
            )
        ),
        *(page(f"group{name}", group.public_id) for name in ("", "_remove")),
    ]


def test_who_sees_a_page(cast):
    answers = {
        url: [client_of(who.user).get(url).status_code for who in (cast.alice, cast.bob, cast.charlie)]
        for url in pages(cast)
    }
    assert {url: found for url, found in answers.items() if found != [200, 404, 404]} == {}


def test_strangers_are_sent_to_the_sign_in_page(cast):
    for url in pages(cast):
        answer = Client().get(url)
        assert answer.status_code == 302, url
        assert answer.headers["Location"].startswith(reverse("account_login"))


def test_ids_of_another_tenant_are_not_found_under_ones_own(cast):
    client = client_of(cast.charlie.user)
    slug = cast.charlie.tenant.slug
    for name, public_id in (
        ("domain", cast.alice.domain.public_id),
        ("mailbox", cast.alice.mailbox.public_id),
    ):
        for url in (reverse(f"web:{name}", args=[slug, public_id]),):
            assert client.get(url).status_code == 404
            assert client.post(f"{url}remove/").status_code == 404
    assert Domain.objects.filter(pk=cast.alice.domain.pk).exists()


def test_everybody_comes_to_their_place(cast, alice):
    assert alice.get("/").headers["Location"] == page("overview")
    assert client_of(cast.bob.user).get("/").headers["Location"] == "/mail/"


def test_a_domain_is_added_checked_and_removed(cast, alice):
    answer = alice.post(page("domain_add"), {"name": "New.Example.ORG"})
    assert answer.status_code == 302, answer.content
    domain = Domain.objects.get(name="new.example.org")
    shown = alice.get(answer.headers["Location"]).content.decode()
    assert domain.token in shown
    assert 'data-look="5"' in shown
    Domain.objects.filter(pk=domain.pk).update(check_at=None)
    assert alice.post(page("domain_check", domain.public_id)).status_code == 302
    domain.refresh_from_db()
    assert domain.check_at is not None
    assert b'value="obey" selected' in alice.get(page("domain_forgery", domain.public_id)).content
    assert alice.post(page("domain_forgery", domain.public_id), {"policy": "maybe"}).status_code == 422
    assert alice.post(page("domain_forgery", domain.public_id), {"policy": "ignore"}).status_code == 302
    assert b'value="testing" selected' in alice.get(page("domain_encryption", domain.public_id)).content
    assert alice.post(page("domain_encryption", domain.public_id), {"mode": "maybe"}).status_code == 422
    assert alice.post(page("domain_encryption", domain.public_id), {"mode": "enforce"}).status_code == 302
    domain.refresh_from_db()
    assert domain.dmarc_policy == "ignore"
    assert b'value="off" selected' in alice.get(page("domain_newcomers", domain.public_id)).content
    assert alice.post(page("domain_newcomers", domain.public_id), {"choice": "maybe"}).status_code == 422
    assert alice.post(page("domain_newcomers", domain.public_id), {"choice": "greylist"}).status_code == 302
    domain.refresh_from_db()
    assert domain.newcomers == "greylist"
    zone = alice.get(page("domain_zone", domain.public_id))
    assert "attachment" in zone.headers["Content-Disposition"]
    assert domain.token.encode() in zone.content
    assert alice.post(page("domain_remove", domain.public_id)).status_code == 302
    assert not Domain.objects.filter(pk=domain.pk).exists()


def test_says_why_a_domain_cannot_be_had_or_removed(cast, alice):
    assert (
        b"belongs to another organisation" in alice.post(page("domain_add"), {"name": "charlie.test"}).content
    )
    answer = alice.post(page("domain_remove", cast.alice.domain.public_id))
    assert answer.status_code == 422
    assert b"remove them first" in answer.content


def test_a_mailbox_is_made_changed_and_removed(cast, alice):
    new = {
        "local": "dora",
        "domain": cast.alice.domain.name,
        "name": "Dora",
        "password": PASSWORD,
        "megabytes": "2048",
        "kind": "personal",
    }
    assert alice.post(page("mailbox_add"), new).status_code == 302
    box = Mailbox.objects.get(addresses__local_part="dora")
    assert mailboxes.authenticate("dora@acme.test", PASSWORD, protocol="imap", peer=None).mailbox_id == box.pk
    assert b"exists already" in alice.post(page("mailbox_add"), new).content

    alice.post(page("mailbox_quota", box.public_id), {"megabytes": 3})
    alice.post(page("mailbox_ways", box.public_id), {"imap": "on", "smtp": "on", "pop3_deletes": "trash"})
    box.refresh_from_db()
    assert (box.has_imap, box.has_pop3, box.has_smtp, box.pop3_deletes) == (True, False, True, "trash")
    shown = alice.get(page("mailbox", box.public_id)).content.decode().split()
    assert (shown.count("on"), shown.count("off")) == (2, 1)
    alice.post(page("mailbox_suspend", box.public_id), {"because": "on holiday"})
    box.refresh_from_db()
    assert (box.quota_octets, box.state, box.suspended_because) == (3 << 20, "suspended", "on holiday")
    alice.post(page("mailbox_resume", box.public_id))
    alice.post(page("mailbox_password", box.public_id), {"password": "another long password"})
    assert mailboxes.authenticate("dora@acme.test", "another long password", protocol="imap", peer=None)
    assert b"dora@acme.test" in alice.get(page("mailboxes"), {"q": "dor"}).content
    assert b"dora@acme.test" not in alice.get(page("mailboxes"), {"q": "zzz"}).content
    assert alice.post(page("mailbox_remove", box.public_id)).status_code == 302
    assert alice.get(page("mailbox", box.public_id)).status_code == 404


def test_an_administrator_sets_no_password_of_an_owner(cast):
    tenants.set_role(cast.bob.user.memberships.get(), "admin", actor=None)
    url = page("mailbox_password", cast.alice.mailbox.public_id)
    answer = client_of(cast.bob.user).post(url, {"password": "another long password"})
    assert answer.status_code == 422
    assert b"Only alice@acme.test" in answer.content


def test_app_passwords_are_for_ones_own_mail_only(cast, alice):
    own = alice.post(page("mailbox_app_password_add", cast.alice.mailbox.public_id), {"name": "phone"})
    secret = re.search(r"<code>([a-z0-9-]{23})</code>", own.content.decode())[1]
    assert mailboxes.authenticate("alice@acme.test", secret, protocol="imap", peer=None)
    other = alice.post(page("mailbox_app_password_add", cast.bob.mailbox.public_id), {"name": "spy"})
    assert other.status_code == 422
    assert not cast.bob.mailbox.app_passwords.exists()
    made = cast.alice.mailbox.app_passwords.get()
    alice.post(page("mailbox_app_password_revoke", cast.alice.mailbox.public_id, made.public_id))
    made.refresh_from_db()
    assert made.revoked_at


def test_gives_a_mailbox_its_name(cast, alice):
    answer = alice.post(page("mailbox_name", cast.bob.mailbox.public_id), {"name": "Front desk"})
    assert answer.status_code == 302
    assert "Front desk" in alice.get(page("mailbox", cast.bob.mailbox.public_id)).text


def test_aliases_and_the_catch_all(cast, alice):
    for name in ("info@acme.test", "*@acme.test"):
        answer = alice.post(page("alias_add"), {"address": name, "targets": "alice@acme.test\nx@example.org"})
        assert answer.status_code == 302, answer.content
    made = {str(row): row for row in addresses.aliases(cast.alice.tenant)}
    assert set(made) == {"info@acme.test", "*@acme.test"}
    info = made["info@acme.test"]
    alice.post(page("alias", info.public_id), {"targets": "bob@acme.test"})
    assert list(info.targets.values_list("target", flat=True)) == ["bob@acme.test"]
    assert alice.post(page("alias", info.public_id), {"targets": "nonsense"}).status_code == 422
    alice.post(page("alias", info.public_id), {"targets": "bob@acme.test", "description": "Front desk"})
    assert "Front desk" in alice.get(page("aliases")).text
    for to, is_enabled in (("off", False), ("off", False), ("on", True)):
        answer = alice.post(
            page("alias_switch", info.public_id), {"to": to, "next": page("aliases") + "?page=1"}
        )
        assert answer.headers["Location"] == page("aliases") + "?page=1"
        info.refresh_from_db()
        assert info.is_enabled is is_enabled
    assert "Everything else at acme.test" in alice.get(page("aliases")).text
    assert 'value="*@acme.test"' in alice.get(page("alias_add") + "?catch_all=1").text
    alice.post(page("alias_remove", info.public_id))
    assert len(addresses.aliases(cast.alice.tenant)) == 1


def test_tells_who_did_what_by_person_kind_and_day(cast, alice):
    AuditEntry.objects.all().delete()
    with races.change():
        audit.record(cast.alice.user, "domain.add", cast.alice.domain, data={"names": ["<b>x</b>", "y"]})
        audit.record(cast.bob.user, "mailbox.rename", cast.bob.mailbox)
        audit.record(None, "strange.thing", "=1+1", tenant=cast.alice.tenant)
        audit.record(cast.charlie.user, "domain.add", cast.charlie.domain)
    AuditEntry.objects.filter(verb="domain.add").update(at="2026-03-01T23:59:59Z")

    def told(query: str = "") -> list[bool]:
        text = alice.get(page("audit") + query).text
        return [
            "alice@acme.test added the domain acme.test" in text,
            "bob@acme.test named the mailbox bob@acme.test anew" in text,
            "operator: strange.thing =1+1" in text,
            "charlie" in text,
        ]

    assert told() == [True, True, True, False]
    assert "&lt;b&gt;x&lt;/b&gt;, y" in alice.get(page("audit")).text
    assert told("?who=BOB") == [False, True, False, False]
    assert told("?kind=domain") == [True, False, False, False]
    assert told("?until=2026-03-01&since=2026-03-01") == [True, False, False, False]
    assert told("?since=2026-03-02") == [False, True, True, False]
    assert told("?until=2026-02-28") == [False, False, False, False]
    for nonsense in ("?since=soon", "?until=9999-12-31", "?kind=nothing", "?before=x"):
        assert alice.get(page("audit") + nonsense).status_code in (200, 422)
    answer = alice.get(page("audit_csv") + "?kind=domain")
    assert answer.headers["Content-Type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["who"], row["did"], row["what"]) == ("alice@acme.test", "domain.add", "acme.test")
    strange = list(csv.DictReader(io.StringIO(alice.get(page("audit_csv")).text)))[0]
    assert strange["what"] == "'=1+1"


def test_pages_through_what_was_done(cast, alice):
    AuditEntry.objects.all().delete()
    with races.change():
        for number in range(place.PAGE_ROWS + 1):
            audit.record(cast.alice.user, "domain.add", f"number-{number}.test", tenant=cast.alice.tenant)
    first = alice.get(page("audit") + "?kind=domain")
    assert "number-0.test" not in first.text
    second = alice.get(page("audit") + first.context["next"])
    assert (second.context["next"], "number-0.test" in second.text) == ("", True)
    assert second.context["first"] == page("audit") + "?kind=domain"


def test_groups_of_mailboxes(cast, alice):
    given = {"name": "Sales", "members": "bob@acme.test\nalice@acme.test"}
    assert alice.post(page("group_add"), given).status_code == 302
    (sales,) = MailboxGroup.objects.all()
    assert b"Sales" in alice.get(page("groups")).content
    assert b"bob@acme.test" in alice.get(page("group", sales.public_id)).content
    assert alice.post(page("group", sales.public_id), {"name": "Sellers"}).status_code == 302
    sales.refresh_from_db()
    assert (sales.name, groups.member_addresses(sales)) == ("Sellers", [])
    wrong = {"name": "Sellers", "members": cast.charlie.address}
    assert alice.post(page("group", sales.public_id), wrong).status_code == 422
    elsewhere = reverse("web:group", args=[cast.charlie.tenant.slug, sales.public_id])
    assert client_of(cast.charlie.user).post(f"{elsewhere}remove/").status_code == 404
    alice.post(page("group_remove", sales.public_id))
    assert not MailboxGroup.objects.exists()


def test_changes_need_the_token_of_the_form(cast):
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.alice.user, backend="hostmail.web.signin.AddressBackend")
    assert client.post(page("domain_add"), {"name": "x.example.org"}).status_code == 403


def test_a_suspended_organisation_says_so(cast, alice):
    second = tenants.create("Second", owner=cast.alice.user, actor=None)
    tenants.suspend(second, "unpaid bill", actor=None)
    answer = alice.get(reverse("web:overview", args=[second.slug]))
    assert answer.status_code == 403
    assert b"unpaid bill" in answer.content


def test_has_a_sentence_for_every_verb_that_services_record(cast):
    folder = Path(services.__file__).parent
    families = "|".join(audit_page.KINDS)
    verb = rf'"((?:{families})\.[a-z_]+)"|audit\.record\w*\(\s*[\w.]+,\s*"([a-z_.]+)"'
    text = "".join(path.read_text() for path in sorted(folder.rglob("*.py")))
    verbs = {known or other for known, other in re.findall(verb, text)}
    assert len(verbs) > 60
    assert verbs - set(audit_page.SENTENCES) == set()
    assert {each.partition(".")[0] for each in verbs} <= set(audit_page.KINDS)


def test_the_audit_log_knows_from_where_people_act(cast, alice):
    alice.post(
        page("alias_add"),
        {"address": "info@acme.test", "targets": "alice@acme.test"},
        REMOTE_ADDR="192.0.2.7",
    )
    assert AuditEntry.objects.get(verb="address.add", object_name="info@acme.test").address == "192.0.2.7"
    assert "192.0.2.7" in alice.get(page("audit")).text
    addresses.add_alias(cast.alice.tenant, "news@acme.test", ["alice@acme.test"], actor=None)
    assert AuditEntry.objects.get(object_name="news@acme.test").address is None
