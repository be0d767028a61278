"""The commands of manage.py, as scripts call them: done once, harmless again, clear when wrong."""

import io
import json
import mailbox as stdlib_mailbox
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command

from mailcore.management.console import Error
from mailcore.models import Address, ApiToken, Domain, Mailbox, Membership, Message, Tenant, User
from mailcore.services import folders, mailboxes, messages, users
from mailcore.services.messages import Filing, Mail, Unit
from tests.cast import PASSWORD, Cast, make_domain, make_mailbox, make_tenant
from tests.fakes import FakeDNS

pytestmark = pytest.mark.django_db


def run(*words: object) -> str:
    out = io.StringIO()
    call_command(*[str(word) for word in words], stdout=out)
    return out.getvalue()


def ask(*words: object):
    """What a command answers in JSON."""
    return json.loads(run(*words, "--json"))


def wrong(*words: object) -> str:
    """The one line that a command ends with."""
    with pytest.raises(Error) as caught:
        run(*words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def typed(monkeypatch):
    """A function that puts text on standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


# --- Tenants, people, tokens ---------------------------------------------------------------------


def test_makes_a_tenant_with_its_owner_once(typed):
    typed("secret one\n")
    made = ask("tenant", "add", "Acme", "--owner", "Olga@Acme.test", "--password-stdin")
    assert made == {
        "slug": "acme", "name": "Acme", "made": True, "owner": "olga@acme.test", "password": None,
    }  # fmt: skip
    olga = User.objects.get(email="olga@acme.test")
    assert olga.check_password("secret one")
    assert Membership.objects.get(user=olga).role == "owner"
    again = ask("tenant", "add", "Acme", "--owner", "olga@acme.test")
    assert (again["made"], again["password"]) == (False, None)
    assert Tenant.objects.count() == 1


def test_prints_a_password_it_made_up():
    made = ask("tenant", "add", "Acme", "--slug", "a1", "--owner", "olga@acme.test")
    assert User.objects.get(email="olga@acme.test").check_password(made["password"])
    shown = run("tenant", "add", "B", "--owner", "b@x.test").strip().rpartition(" ")[2]
    assert User.objects.get(email="b@x.test").check_password(shown)


def test_lists_suspends_resumes_and_removes_tenants():
    cast = Cast()
    (acme, other) = ask("tenant", "list")
    assert (acme["slug"], acme["owners"], acme["domains"], acme["mailboxes"]) == (
        "acme", ["alice@acme.test"], 1, 2,
    )  # fmt: skip
    assert other["slug"] == "charlie-s"
    assert "acme" in run("tenant", "list")
    assert ask("tenant", "suspend", "acme", "--because", "unpaid")["state"] == "suspended"
    assert ask("tenant", "resume", "acme")["state"] == "active"
    assert ask("tenant", "member", "acme", "bob@acme.test", "--role", "admin")["role"] == "admin"
    assert ask("tenant", "member", "acme", "new@x.test")["password"]
    run("tenant", "remove", "acme")
    assert not Tenant.objects.filter(pk=cast.alice.tenant.pk).exists()
    assert wrong("tenant", "remove", "acme") == "There is no tenant acme"


def test_makes_people_and_changes_their_passwords(typed):
    typed("one\n")
    assert ask("user", "add", "s@x.test", "--staff", "--name", "S", "--password-stdin")["staff"] is True
    assert ask("user", "add", "S@x.test")["made"] is False
    user = User.objects.get(email="s@x.test")
    assert user.check_password("one")
    typed("two\r\n")
    run("user", "passwd", "s@x.test", "--password-stdin")
    assert User.objects.get(pk=user.pk).check_password("two")
    typed("")
    assert "no password" in wrong("user", "passwd", "s@x.test", "--password-stdin")
    assert User.objects.get(pk=user.pk).check_password("two")
    made = ask("user", "passwd", "s@x.test")["password"]
    assert User.objects.get(pk=user.pk).check_password(made)
    (row,) = ask("user", "list", "--staff")
    assert (row["email"], row["active"]) == ("s@x.test", True)
    run("user", "deactivate", "s@x.test")
    assert not User.objects.get(pk=user.pk).is_active
    run("user", "activate", "s@x.test")
    run("user", "remove", "s@x.test")
    assert wrong("user", "remove", "s@x.test") == "There is no user s@x.test"


def test_makes_tokens_that_work():
    cast = Cast()
    made = ask("token", "add", "alice@acme.test", "--tenant", "acme", "--days", "3")
    assert users.authenticate_token(made["token"]).tenant == cast.alice.tenant
    assert run("token", "add", "bob@acme.test").strip().startswith("hm_")
    (row,) = ask("token", "list", "alice@acme.test")
    assert row["prefix"] == made["prefix"]
    assert "token_hash" not in run("token", "list")
    run("token", "remove", made["prefix"])
    assert users.authenticate_token(made["token"]) is None
    assert "no token" in wrong("token", "remove", made["prefix"])
    assert "not a member" in wrong("token", "add", "alice@acme.test", "--tenant", "charlie-s")
    assert ApiToken.objects.count() == 2


# --- Domains and aliases -------------------------------------------------------------------------


def test_adds_domains_and_shows_their_records():
    make_tenant("Acme")
    assert ask("domain", "add", "New.test", "--tenant", "acme")["state"] == "pending"
    again = ask("domain", "add", "new.test", "--tenant", "acme", "--verified")
    assert (again["made"], again["state"]) == (False, "verified")
    domain = Domain.objects.get()
    records = {record["key"]: record for record in ask("domain", "records", "new.test")}
    assert records["ownership"]["value"].endswith(domain.token)
    assert "IN\tMX\t" in run("domain", "records", "new.test", "--zone")
    (row,) = ask("domain", "list", "--tenant", "acme")
    assert (row["name"], row["tenant"], row["state"]) == ("new.test", "acme", "verified")
    assert ask("domain", "dmarc", "new.test", "junk") == {"name": "new.test", "policy": "junk"}
    assert ask("domain", "rotate-key", "new.test")["selectors"] == ["hm2r", "hm2e"]
    run("domain", "remove", "new.test")
    assert wrong("domain", "records", "new.test") == "There is no domain new.test"
    assert wrong("domain", "add", "x.test", "--tenant", "nobody") == "There is no tenant nobody"


def test_checks_a_domain_in_words():
    cast = Cast()
    with FakeDNS() as names:
        names.set("acme.test", "MX", ["10 mx.other.test"])
        text = run("domain", "check", "acme.test")
        found = ask("domain", "check", "acme.test")
    assert "acme.test: verified" in text
    assert "10 mx.other.test" in text
    assert found["records"]["mx"]["state"] == "differs"
    assert "mailboxes" in wrong("domain", "remove", "acme.test")
    run("domain", "remove", "acme.test", "--force")
    assert not Address.objects.filter(tenant=cast.alice.tenant).exists()


def test_makes_aliases_once():
    Cast()
    made = ask("alias", "add", "team@acme.test", "bob@acme.test", "alice@acme.test")
    assert (made["made"], made["targets"]) == (True, ["alice@acme.test", "bob@acme.test"])
    assert ask("alias", "add", "Team@acme.test", "alice@acme.test", "bob@acme.test")["made"] is False
    assert "alias set" in wrong("alias", "add", "team@acme.test", "bob@acme.test")
    assert ask("alias", "set", "team@acme.test", "x@y.test")["targets"] == ["x@y.test"]
    run("alias", "add", "@acme.test", "alice@acme.test")
    assert {row["address"] for row in ask("alias", "list", "--domain", "acme.test")} == {
        "team@acme.test", "*@acme.test",
    }  # fmt: skip
    run("alias", "remove", "@acme.test")
    assert "exists already" in wrong("alias", "add", "alice@acme.test", "bob@acme.test")
    assert "not an alias" in wrong("alias", "remove", "alice@acme.test")
    assert "no domain" in wrong("alias", "add", "a@nowhere.test", "b@x.test")


# --- Mailboxes -----------------------------------------------------------------------------------


def test_makes_a_mailbox_that_logs_in(typed):
    make_domain(make_tenant("Acme"), "acme.test")
    typed("pw\n")
    made = ask("mailbox", "add", "Dora@acme.test", "--password-stdin", "--quota", "1G", "--name", "Dora")
    assert made == {
        "address": "dora@acme.test", "made": True, "tenant": "acme", "quota": 1 << 30, "password": None,
    }  # fmt: skip
    assert mailboxes.authenticate("dora@acme.test", "pw", protocol="imap", peer=None)
    assert ask("mailbox", "add", "dora@acme.test", "--password-stdin")["made"] is False
    new = ask("mailbox", "passwd", "dora@acme.test")["password"]
    assert mailboxes.authenticate("dora@acme.test", new, protocol="imap", peer=None)
    app = ask("mailbox", "app-password", "dora@acme.test", "phone")["password"]
    assert mailboxes.authenticate("dora@acme.test", app, protocol="imap", peer=None).via == "app-password"
    run("mailbox", "suspend", "dora@acme.test", "--because", "lost phone")
    run("mailbox", "resume", "dora@acme.test")
    assert ask("mailbox", "quota", "dora@acme.test", "500M")["quota"] == 500 << 20
    assert ask("mailbox", "quota", "dora@acme.test", "--messages", "9")["messages"] == 9
    assert ask("mailbox", "quota", "dora@acme.test", "--messages", "none")["messages"] is None
    assert ask("mailbox", "ways", "dora@acme.test", "--pop3", "off", "--pop3-deletes", "trash") == {
        "address": "dora@acme.test", "imap": True, "pop3": False, "smtp": True, "pop3_deletes": "trash",
        "imap_without": [],
    }  # fmt: skip
    for words, kept in (("move idle", ["IDLE", "MOVE"]), ("none", [])):
        assert ask("mailbox", "ways", "dora@acme.test", "--imap-without", words)["imap_without"] == kept
    (row,) = ask("mailbox", "list", "--domain", "acme.test")
    assert (row["address"], row["quota"], row["messages"]) == ("dora@acme.test", 500 << 20, 0)
    assert "500.0M" in run("mailbox", "list", "--tenant", "acme")
    run("mailbox", "remove", "dora@acme.test")
    assert not Mailbox.objects.exists()
    assert not User.objects.exists()


def test_the_owner_of_a_tenant_can_have_a_mailbox_of_that_name(typed):
    typed("first\n")
    run("tenant", "add", "Acme", "--owner", "olga@acme.test", "--password-stdin")
    make_domain(Tenant.objects.get(), "acme.test")
    typed("second\n")
    run("mailbox", "add", "olga@acme.test", "--password-stdin")
    assert mailboxes.authenticate("olga@acme.test", "second", protocol="imap", peer=None)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["add"], "give an address"), (["add", "dora"], "not a valid address"),
        (["add", "@acme.test"], "name before"),
        (["add", "dora@nowhere.test"], "no domain"),
        (["add", "dora@acme.test", "--quota", "lots"], "no size"),
        (["quota", "alice@acme.test", "--messages", "0"], "no number"),
        (["passwd", "nobody@acme.test"], "no address"), (["add", "info@acme.test"], "is an alias"),
        (["add", "--csv", "/nowhere.csv"], "/nowhere.csv"), (["suspend", "info@acme.test"], "is an alias"),
        (["import", "alice@acme.test", "/nowhere"], "does not exist"),
    ],
)  # fmt: skip
def test_says_what_is_wrong_in_one_line(words, says):
    Cast()
    run("alias", "add", "info@acme.test", "bob@acme.test")
    assert says in wrong("mailbox", *words)
    assert not User.objects.filter(email="dora@acme.test").exists()


def test_makes_many_mailboxes_from_a_table(typed, tmp_path):
    Cast()
    table = tmp_path / "people.csv"
    table.write_text(
        '# address,password,quota\nm1@acme.test,pw1\nM2@acme.test,"p,w2",1G\nalice@acme.test,pw\n\n'
        "m3@charlie.test,pw3\nm4@acme.test,,\nnot an address,pw\nm5@acme.test,pw,lots\nm6@nowhere.test,pw\n",
        encoding="utf-8",
    )
    with pytest.raises(Error, match="3 of 8 lines"):
        run("mailbox", "add", "--csv", table)
    assert mailboxes.authenticate("m1@acme.test", "pw1", protocol="imap", peer=None)
    assert mailboxes.authenticate("m2@acme.test", "p,w2", protocol="imap", peer=None)
    assert Mailbox.objects.get(addresses__local_part="m2").quota_octets == 1 << 30
    assert Mailbox.objects.get(addresses__local_part="m3").tenant.slug == "charlie-s"
    assert User.objects.get(email="alice@acme.test").check_password(PASSWORD)
    typed(
        table.read_text().replace("not an address,pw\n", "").replace(",lots", "").replace("nowhere", "acme")
    )
    results = ask("mailbox", "add", "--csv", "-")
    states = {result["address"]: result["state"] for result in results}
    assert states == {
        "m1@acme.test": "exists", "M2@acme.test": "exists", "alice@acme.test": "exists",
        "m3@charlie.test": "exists", "m4@acme.test": "exists", "m5@acme.test": "made", "m6@acme.test": "made",
    }  # fmt: skip


def test_prints_the_passwords_it_made_up_for_a_table(typed):
    Cast()
    typed("m1@acme.test\nm2@acme.test,given\n")
    first, second = ask("mailbox", "add", "--csv", "-")
    assert mailboxes.authenticate("m1@acme.test", first["password"], protocol="imap", peer=None)
    assert second["password"] is None


# --- Mail in and out -----------------------------------------------------------------------------


def raw(number: int, body: str = "Text") -> bytes:
    return (
        f"Message-ID: <{number}@x.test>\r\nFrom: a@x.test\r\nDate: Tue, 24 Nov 2026 08:0{number}:00 +0000\r\n"
        f"Subject: Number {number}\r\n\r\n{body} {number}\r\nFrom here on\r\n>From there\r\n\r\n"
    ).encode()


def stored(box: Mailbox) -> dict[str, list[bytes]]:
    """What a mailbox holds, by folder."""
    return {
        state.name: [
            messages.raw_of(message.content_id).raw
            for message in Message.objects.filter(folder_id=state.folder_id).order_by("uid")
        ]
        for state in messages.folder_rows(box.pk)
        if state.message_count
    }


@pytest.fixture
def filled():
    """Alice's mailbox with mail in two folders, one mail with mixed line ends."""
    cast = Cast()
    box = cast.alice.mailbox
    folders.create(box.pk, "Work/Ünterlagen.2026/..")
    deep = folders.find(box.pk, "Work/Ünterlagen.2026/..").folder_id
    odd = raw(4, "bare\nline feed")
    for number, (folder, octets, flags) in enumerate(
        [("inbox", raw(1), 1), ("inbox", raw(2), 6), (deep, raw(3), 0), (deep, odd, 1)]
    ):
        filing = Filing(box.tenant_id, box.pk, folder, flags=flags, internal_date=1_700_000_000 + number)
        messages.append_many([Unit([Mail(messages.prepare(octets), [filing])])])
    return cast


@pytest.mark.parametrize("form", ["maildir", "mbox"])
def test_what_is_exported_comes_back_the_same(filled, tmp_path, form):
    box, target = filled.alice.mailbox, filled.bob.mailbox
    assert ask("mailbox", "export", box, tmp_path / "out", "--format", form)["written"] == 4
    assert all(path.resolve().is_relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*"))
    assert ask("mailbox", "import", target, tmp_path / "out")["filed"] == 4
    assert stored(target) == stored(box)
    dates = [
        set(Message.objects.filter(mailbox_id=one.pk).values_list("internal_date", flat=True))
        for one in (box, target)
    ]
    assert dates[0] == dates[1]
    if form == "maildir":
        flags = [
            list(
                Message.objects.filter(mailbox_id=one.pk)
                .order_by("folder_id", "uid")
                .values_list("flags", flat=True)
            )
            for one in (box, target)
        ]
        assert flags[0] == flags[1] == [1, 6, 0, 1]
    again = ask("mailbox", "import", target, tmp_path / "out")
    assert (again["filed"], again["skipped"]) == (0, 4)
    assert "not empty" in wrong("mailbox", "export", box, tmp_path / "out")


def test_imports_what_other_programs_wrote(tmp_path):
    box = make_mailbox_alone()
    theirs = stdlib_mailbox.mbox(tmp_path / "theirs")
    for number in (1, 2):
        mail = stdlib_mailbox.mboxMessage(raw(number).replace(b"\r\n", b"\n"))
        mail.set_flags("RF" if number == 1 else "")
        theirs.add(mail)
    theirs.close()
    assert ask("mailbox", "import", box, tmp_path / "theirs", "--folder", "Old")["filed"] == 2
    rows = Message.objects.filter(mailbox_id=box.pk).order_by("uid")
    assert [row.flags for row in rows] == [1 | 4, 0]
    assert b"\r\nFrom here on\r\n" in stored(box)["Old"][0]
    maildir = stdlib_mailbox.Maildir(tmp_path / "maildir")
    maildir.add(raw(3).replace(b"\r\n", b"\n"))
    sub = maildir.add_folder("Trips")
    sub.add(raw(4).replace(b"\r\n", b"\n"))
    assert ask("mailbox", "import", box, tmp_path / "maildir")["filed"] == 2
    assert stored(box)["INBOX"] == [raw(3)]
    assert stored(box)["Trips"] == [raw(4)]
    (tmp_path / "one.eml").write_bytes(raw(5))
    assert ask("mailbox", "import", box, tmp_path / "one.eml")["filed"] == 1
    export = tmp_path / "export"
    run("mailbox", "export", box, export, "--format", "mbox", "--folder", "Old")
    written = stdlib_mailbox.mbox(export / "Old.mbox")
    assert len(written) == 2
    written.close()
    assert [path.name for path in export.iterdir()] == ["Old.mbox"]


def make_mailbox_alone() -> Mailbox:
    tenant = make_tenant("Acme")
    make_domain(tenant, "acme.test")
    return make_mailbox(tenant, "dora@acme.test")


def test_leaves_out_what_cannot_be_kept_and_stops_when_full(tmp_path, settings, capsys):
    box = make_mailbox_alone()
    folder = tmp_path / "in"
    for part in ("cur", "new"):
        (folder / part).mkdir(parents=True)
    (folder / "new" / "1").write_bytes(raw(1) + b"x" * 3000)
    (folder / "new" / "2").write_bytes(raw(2) + b"\0")
    (folder / "new" / "3").write_bytes(raw(3))
    (folder / "new" / "link").symlink_to("/etc/passwd")
    settings.HOSTMAIL_MAX_MESSAGE = 2000
    answer = ask("mailbox", "import", box, folder)
    assert (answer["filed"], answer["left_out"]) == (1, 2)
    mailboxes.set_quota(box, 10, actor=None)
    (folder / "new" / "4").write_bytes(raw(4))
    assert "full" in wrong("mailbox", "import", box, folder)


# --- The demo, and the process -------------------------------------------------------------------


def test_the_demo_is_made_once_and_its_logins_work():
    made = ask("demo")
    assert made["made"]
    passwords = {login["address"]: login["password"] for login in made["logins"]}
    for address in ("alice@demo.test", "bob@demo.test", "charlie@charlie.test"):
        assert mailboxes.authenticate(address, passwords[address], protocol="imap", peer=None)
    assert User.objects.get(email="stella@staff.test").is_staff
    box = Mailbox.objects.get(addresses__local_part="alice", tenant__slug="demo")
    states = {state.name: state for state in messages.folder_rows(box.pk)}
    assert states["INBOX"].message_count >= 5
    assert 0 < states["INBOX"].unseen_count < states["INBOX"].message_count
    assert Message.objects.filter(mailbox_id=box.pk).values("thread_id").distinct().count() < box_count(box)
    again = ask("demo")
    assert not again["made"]
    assert [login["password"] for login in again["logins"]] == ["", "", "", ""]
    assert "exists already" in run("demo")
    fresh = {login["address"]: login["password"] for login in ask("demo", "--reset")["logins"]}
    assert mailboxes.authenticate("bob@demo.test", fresh["bob@demo.test"], protocol="imap", peer=None)


def box_count(box: Mailbox) -> int:
    return Message.objects.filter(mailbox_id=box.pk).count()


def test_the_demo_gives_its_answer_to_who_calls_it_quietly(capsys):
    answer = call_command("demo", "--json", verbosity=0)
    assert json.loads(answer)["logins"]
    assert capsys.readouterr().out == ""


def test_the_demo_needs_a_loopback_address(settings):
    settings.HOSTMAIL_BIND = "0.0.0.0"
    assert "loopback" in wrong("demo")
    assert not Tenant.objects.exists()


def test_a_mistake_ends_the_process_with_one_line_and_status_1(tmp_path):
    root = Path(__file__).resolve().parents[2]
    environment = {"HOSTMAIL_DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOSTMAIL_LOG_FORMAT": "json"}
    done = subprocess.run(
        [sys.executable, "manage.py", "mailbox", "add", "nonsense"],
        cwd=root, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: That is not a valid address\n"


def test_says_of_senders_what_a_mailbox_wants():
    address = Cast().alice.address
    assert ask("mailbox", "want", address, "Ann@else.test") == {"who": "ann@else.test", "is_wanted": True}
    run("mailbox", "block", address, "@spam.test")
    assert ask("mailbox", "senders", address) == [
        {"who": "@spam.test", "is_wanted": False},
        {"who": "ann@else.test", "is_wanted": True},
    ]
    run("mailbox", "forget", address, "ann@else.test")
    assert wrong("mailbox", "forget", address, "ann@else.test") == "Nothing is said of ann@else.test"
