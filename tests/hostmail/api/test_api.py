import pytest
from django.test import Client

from mailcore.models import Address, AuditEntry, Domain, Mailbox, QueueEntry, Submission
from mailcore.outside import clock, counters
from mailcore.services import events, stops, tenants, users
from tests.cast import PASSWORD, Cast

V1 = "/api/v1/"


@pytest.fixture
def cast(db) -> Cast:
    return Cast()


class Api:
    """A client with a token; paths are below /api/v1/."""

    def __init__(self, secret: str = "") -> None:
        self.client = Client(headers={"Authorization": f"Bearer {secret}"} if secret else {})

    def __call__(self, method: str, path: str, body=None, status: int | None = None):
        answer = getattr(self.client, method)(V1 + path, body, content_type="application/json")
        if status is not None:
            assert answer.status_code == status, answer.content
        return answer.json() if answer.content and "json" in answer.headers["Content-Type"] else answer


def api_of(user, **more) -> Api:
    return Api(users.issue_token(user, "test", actor=user, **more)[1])


@pytest.fixture
def alice(cast) -> Api:
    return api_of(cast.alice.user)


@pytest.fixture
def charlie(cast) -> Api:
    return api_of(cast.charlie.user)


@pytest.fixture
def entry(cast) -> QueueEntry:
    now = clock.now()
    sent = Submission.objects.create(
        tenant=cast.alice.tenant,
        mailbox=cast.alice.mailbox,
        trace="t1",
        source="smtp",
        content_id=1,
        created_at=now,
    )
    return QueueEntry.objects.create(
        tenant=cast.alice.tenant, submission=sent, recipient="x@example.org", route="example.org", due_at=now,
        created_at=now,
    )  # fmt: skip


def test_asks_for_a_token(db):
    answer = Api().client.get(V1 + "domains/")
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert Api("hm_wrong").client.get(V1 + "domains/").status_code == 401


def test_makes_shows_checks_and_removes_a_domain(alice, cast):
    made = alice("post", "domains/", {"name": "New.Acme.Example"}, 201)
    assert (made["name"], made["state"], made["tenant"]) == (
        "new.acme.example",
        "pending",
        cast.alice.tenant.slug,
    )
    assert {"ownership", "mx", "spf", "dmarc"} <= {record["key"] for record in made["records"]}
    assert {record["state"] for record in made["records"]} == {"unchecked"}
    path = f"domains/{made['id']}/"
    assert alice("post", f"{path}check/", status=202)["name"] == "new.acme.example"
    assert made["dmarc_policy"] == "obey"
    assert alice("patch", path, {"dmarc_policy": "junk"}, 200)["dmarc_policy"] == "junk"
    assert alice("patch", path, {"dmarc_policy": "maybe"}, 400)["errors"].keys() == {"dmarc_policy"}
    changed = alice("patch", path, {"newcomers": "delay"}, 200)
    assert (changed["newcomers"], changed["dmarc_policy"]) == ("delay", "junk")
    assert alice("patch", path, {"newcomers": "maybe"}, 400)["errors"].keys() == {"newcomers"}
    zone = alice("get", f"{path}zone/", status=200)
    assert b"IN\tMX" in zone.content
    alice("delete", path, status=204)
    assert not Domain.objects.filter(name="new.acme.example").exists()


def test_makes_changes_suspends_and_removes_a_mailbox(alice):
    made = alice(
        "post", "mailboxes/", {"address": "Dora@acme.test", "password": PASSWORD, "name": "Dora"}, 201
    )
    assert (made["address"], made["state"]) == ("dora@acme.test", "active")
    path = f"mailboxes/{made['id']}/"
    assert alice("patch", path, {"quota_octets": 1_000_000}, 200)["quota_octets"] == 1_000_000
    assert alice("patch", path, {"quota_messages": 9}, 200)["quota_messages"] == 9
    assert alice("patch", path, {"quota_messages": None}, 200)["quota_messages"] is None
    assert alice("patch", path, {"quota_messages": 0}, 400)["errors"].keys() == {"quota_messages"}
    assert alice("patch", path, {"imap_without": ["MOVE", "IDLE"]}, 200)["imap_without"] == ["IDLE", "MOVE"]
    assert alice("patch", path, {"name": "D"}, 200)["imap_without"] == ["IDLE", "MOVE"]
    assert alice("patch", path, {"imap_without": []}, 200)["imap_without"] == []
    assert alice("patch", path, {"imap_without": ["LITERAL+"]}, 400)["errors"].keys() == {"imap_without"}
    changed = alice("patch", path, {"has_pop3": False, "pop3_deletes": "archive"}, 200)
    assert (changed["has_imap"], changed["has_pop3"], changed["pop3_deletes"]) == (True, False, "archive")
    assert alice("patch", path, {"pop3_deletes": "burn"}, 400)["errors"].keys() == {"pop3_deletes"}
    assert alice("post", f"{path}suspend/", {"because": "unpaid"}, 200)["suspended_because"] == "unpaid"
    assert alice("post", f"{path}resume/", status=200)["state"] == "active"
    alice("post", f"{path}password/", {"password": "another long password"}, 204)
    alice("delete", path, status=204)
    alice("get", path, status=404)
    assert AuditEntry.objects.filter(object_name="dora@acme.test", actor__email="alice@acme.test").exists()


def test_makes_changes_and_removes_an_alias(alice):
    made = alice("post", "aliases/", {"address": "sales@acme.test", "targets": ["bob@acme.test"]}, 201)
    path = f"aliases/{made['id']}/"
    changed = alice(
        "patch", path, {"targets": ["alice@acme.test", "x@example.org"], "is_enabled": False}, 200
    )
    assert (changed["targets"], changed["is_enabled"]) == (["alice@acme.test", "x@example.org"], False)
    alice("delete", path, status=204)
    assert not Address.objects.filter(local_part="sales").exists()


def test_says_who_may_use_a_mailbox(alice, charlie, cast):
    made = alice("post", "mailboxes/", {"address": "office@acme.test", "kind": "shared"}, 201)
    path = f"mailboxes/{made['id']}/people/"
    given = {"email": "bob@acme.test", "rights": ["send_as", "read"]}
    assert alice("post", path, given, 200) == [
        {"email": "bob@acme.test", "rights": ["read", "send_as"], "is_owner": False}
    ]
    alice("post", path, {**given, "rights": ["write"]}, 400)
    alice("post", path, {**given, "email": "charlie@charlie.test"}, 409)
    charlie("get", path, status=404)
    charlie("post", path, {"email": "charlie@charlie.test", "rights": ["read"]}, 404)
    assert len(alice("get", path, status=200)) == 1
    assert alice("post", path, {**given, "rights": []}, 200) == []
    alice("post", f"mailboxes/{cast.bob.mailbox.public_id}/people/", {**given, "rights": []}, 409)


def test_makes_changes_and_removes_a_group(alice, charlie):
    made = alice("post", "groups/", {"name": "Sales", "members": ["bob@acme.test"]}, 201)
    path = f"groups/{made['id']}/"
    assert alice("get", "groups/", status=200)["results"] == [made]
    for method in ("get", "patch", "delete"):
        charlie(method, path, status=404)
    changed = alice("patch", path, {"name": "Sellers", "members": ["alice@acme.test"]}, 200)
    assert (changed["name"], changed["members"]) == ("Sellers", ["alice@acme.test"])
    alice("post", "groups/", {"name": "sellers"}, 409)
    alice("patch", path, {"members": ["charlie@charlie.test"]}, 400)
    alice("delete", path, status=204)
    assert alice("get", "groups/", status=200)["results"] == []


def test_shows_and_steers_the_queue(alice, entry):
    assert [row["recipient"] for row in alice("get", "queue/?state=waiting", status=200)["results"]] == [
        "x@example.org"
    ]
    path = f"queue/{entry.public_id}/"
    assert alice("get", path, status=200)["attempts"] == []
    for verb, state in (("hold", "held"), ("release", "waiting"), ("retry", "waiting"), ("drop", "dropped")):
        assert alice("post", f"{path}{verb}/", status=200)["state"] == state
    alice("get", "queue/?state=nonsense", status=400)


def test_tells_what_happened(alice, charlie, cast):
    events.record("filed", tenant_id=cast.alice.tenant.pk, trace="abc", recipient="alice@acme.test")
    assert [row["trace"] for row in alice("get", "events/?trace=abc", status=200)["results"]] == ["abc"]
    assert charlie("get", "events/?trace=abc", status=200)["results"] == []


def test_hides_what_is_not_theirs(charlie, cast, entry):
    box, domain = cast.alice.mailbox, cast.alice.domain
    for path in (f"domains/{domain.public_id}/", f"mailboxes/{box.public_id}/", f"queue/{entry.public_id}/"):
        charlie("get", path, status=404)
        assert charlie.client.delete(V1 + path).status_code in (404, 405)
    for path in (f"mailboxes/{box.public_id}/suspend/", f"queue/{entry.public_id}/drop/"):
        charlie("post", path, {}, 404)
    charlie("post", "mailboxes/", {"address": "evil@acme.test", "tenant": cast.alice.tenant.slug}, 404)
    for path in ("domains/", "mailboxes/", "aliases/", "groups/", "queue/", "members/", "tenants/"):
        shown = charlie("get", path, status=200)["results"]
        assert not [row for row in shown if row.get("tenant", row.get("slug")) == cast.alice.tenant.slug]
    entry.refresh_from_db()
    assert entry.state == QueueEntry.State.WAITING


def test_lets_a_plain_member_see_nothing(cast):
    bob = api_of(cast.bob.user)
    assert bob("get", "mailboxes/", status=200)["results"] == []
    bob("post", "domains/", {"name": "bob.example"}, 404)


def test_keeps_a_token_to_its_organisation(cast):
    tenants.add_member(cast.charlie.tenant, cast.alice.user, "admin", actor=None)
    wide, narrow = api_of(cast.alice.user), api_of(cast.alice.user, tenant=cast.alice.tenant)
    assert len(wide("get", "tenants/", status=200)["results"]) == 2
    assert [row["slug"] for row in narrow("get", "tenants/", status=200)["results"]] == [
        cast.alice.tenant.slug
    ]
    narrow("get", f"mailboxes/{cast.charlie.mailbox.public_id}/", status=404)
    assert "tenant" in wide("post", "domains/", {"name": "two.example"}, 400)["errors"]
    wide("post", "domains/", {"name": "two.example", "tenant": cast.charlie.tenant.slug}, 201)


def test_refuses_fields_it_does_not_know(alice, cast):
    answer = alice(
        "post", "mailboxes/", {"address": "eve@acme.test", "used_octets": 0, "is_staff": True}, 400
    )
    assert set(answer["errors"]) == {"used_octets", "is_staff"}
    path = f"mailboxes/{cast.alice.mailbox.public_id}/"
    alice("patch", path, {"tenant": cast.charlie.tenant.slug}, 400)
    assert Mailbox.objects.get(pk=cast.alice.mailbox.pk).tenant_id == cast.alice.tenant.pk


def test_says_failures_as_problem_documents(alice):
    answer = alice("post", "mailboxes/", {"address": "alice@acme.test", "password": PASSWORD}, 409)
    assert (answer["code"], answer["status"]) == ("already_exists", 409)


def test_ends_with_the_token_and_with_the_person(alice, cast):
    tenants.add_member(cast.alice.tenant, cast.charlie.user, "owner", actor=None)
    users.deactivate(cast.alice.user, actor=None)
    alice("get", "domains/", status=401)


def test_turns_pages_without_showing_more_than_asked(alice, cast):
    for number in range(3):
        alice("post", "aliases/", {"address": f"a{number}@acme.test", "targets": ["bob@acme.test"]}, 201)
    first = alice("get", "aliases/?page_size=2", status=200)
    second = alice("get", "aliases/?" + first["next"].partition("?")[2], status=200)
    names = [row["address"] for row in first["results"] + second["results"]]
    assert names == ["a2@acme.test", "a1@acme.test", "a0@acme.test"]
    assert len(alice("get", "aliases/?page_size=1000000000", status=200)["results"]) == 3


def test_slows_down_who_asks_too_often(alice, monkeypatch):
    from mailcore import limits

    monkeypatch.setattr(limits, "API_REQUESTS", 2)
    counters.forget_all()
    answers = [alice.client.get(V1 + "tenants/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["RateLimit-Remaining"] == "1"
    assert "Retry-After" in answers[2].headers


def test_takes_no_session_without_the_csrf_token(cast):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(cast.alice.user)
    assert browser.get(V1 + "domains/").status_code == 200
    answer = browser.post(V1 + "domains/", {"name": "x.example"}, content_type="application/json")
    assert answer.status_code == 403


def test_describes_itself(alice):
    schema = alice.client.get(V1 + "schema/?format=json").json()
    assert schema["openapi"].startswith("3.")
    for path, operations in schema["paths"].items():
        if path.endswith("schema/"):
            continue
        for method in set(operations) & {"get", "post", "patch", "delete"}:
            url = path.replace("{public_id}", "aaaaaaaaaaaaaaaa")
            answer = getattr(alice.client, method)(url, {}, content_type="application/json")
            assert answer.status_code in (200, 400, 404), (method, path, answer.status_code)
    page = alice.client.get(V1 + "docs/").content.decode()
    assert "https://" not in page


def test_tells_and_limits_what_a_mailbox_sends(alice, charlie, cast):
    path = f"mailboxes/{cast.bob.mailbox.public_id}/"
    shown = alice("patch", f"{path}sending/", {"recipient_limit": 5}, 200)
    assert (shown["recipient_limit"], shown["recipients"], shown["stopped_because"]) == (5, 0, None)
    assert alice("patch", f"{path}sending/", {"first_limit": 2}, 200)["recipient_limit"] == 5
    stops.stop(cast.bob.mailbox, "it looks stolen", actor=None)
    assert alice("get", f"{path}sending/", None, 200)["stopped_because"] == "it looks stolen"
    assert alice("post", f"{path}resume_sending/", {"drop": True}, 200)["stopped_because"] is None
    charlie("get", f"{path}sending/", None, 404)
    charlie("post", f"{path}resume_sending/", {}, 404)
    api_of(cast.bob.user)("patch", f"{path}sending/", {"recipient_limit": None}, 404)
