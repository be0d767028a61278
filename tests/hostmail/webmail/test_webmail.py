"""Webmail shows people their own mail, nobody else's, and does what they ask once."""

import email.message
import email.policy
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from mailcore import limits
from mailcore.message import flags
from mailcore.models import Rights, Submission
from mailcore.services import delivery, folders, mailboxes, messages
from mailcore.services.messages import Filing, Mail, Unit, listing
from tests.cast import Cast, make_mailbox

pytestmark = pytest.mark.django_db

EVIL = (
    b"From: Eve <eve@evil.test>\r\nTo: alice@acme.test\r\nSubject: <script>alert(1)</script>\r\n"
    b"Message-ID: <evil@evil.test>\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    b"<p onclick='x()'>Hello</p><script>alert(2)</script><img src='https://evil.test/p.png' onerror=x()>"
    b"<a href='javascript:alert(3)'>link</a><form action='https://evil.test'><input></form>\r\n"
)


@pytest.fixture
def cast() -> Cast:
    return Cast(keys=True)


def signed_in(person) -> Client:
    client = Client()
    client.force_login(person.user)
    return client


def mail(subject: str, number: int = 1, text: str = "Hello there") -> bytes:
    return (
        f"From: Carol <carol@example.net>\r\nTo: alice@acme.test\r\nSubject: {subject}\r\n"
        f"Message-ID: <{number}@example.net>\r\n\r\n{text}\r\n"
    ).encode()


def file(person, raw: bytes, folder: str = "inbox", flag_bits: int = 0):
    filing = Filing(person.tenant.pk, person.mailbox.pk, folder, flags=flag_bits)
    return delivery.deliver(Unit([Mail(messages.prepare(raw), [filing])]))[0]


def at(person, role: str = "inbox") -> str:
    state = messages.folder_state(folders.by_role(person.mailbox.pk, role))
    return f"/mail/{person.mailbox.public_id}/folder/{state.object_serial}/"


def rows(person, role: str) -> list[listing.Listed]:
    return listing.list_page(folders.by_role(person.mailbox.pk, role)).rows


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}"\s+value="([^"]*)"', page)
    assert found
    return found[1]


def compose_url(person) -> str:
    return f"/mail/{person.mailbox.public_id}/compose/"


def letter(person, **fields) -> dict:
    given = {"from": person.address, "to": "bob@acme.test", "subject": "Hi", "body": "Text", "key": "k1"}
    return {**given, "action": "send", **fields}


def test_home_leads_to_the_inbox(cast: Cast) -> None:
    file(cast.alice, mail("Contract"))
    page = signed_in(cast.alice).get("/mail/", follow=True)
    assert page.status_code == 200
    assert "Contract" in page.text
    assert "Carol" in page.text


def test_strangers_find_nothing_and_nobody_must_sign_in(cast: Cast) -> None:
    filed = file(cast.alice, mail("Contract"))
    inbox = at(cast.alice)
    one = f"{inbox}{filed.uid}/"
    places = (
        inbox,
        one,
        f"{one}html/",
        f"{one}source/",
        f"{one}part/1/",
        f"{one}reply/all/",
        compose_url(cast.alice),
    )
    for person in (cast.charlie, cast.bob):
        client = signed_in(person)
        assert [client.get(url).status_code for url in places] == [404] * len(places)
        assert client.post(f"{inbox}act/", {"uid": filed.uid, "action": "delete"}).status_code == 404
        # Nor by way of their own mailbox.
        mine = f"/mail/{person.mailbox.public_id}/folder/"
        serial = inbox.split("/")[-2]
        assert client.get(f"{mine}{serial}/{filed.uid + 100}/").status_code == 404
    for url in places:
        answer = Client().get(url)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/accounts/login/")
    assert len(rows(cast.alice, "inbox")) == 1


def test_suspended_mailbox_shows_a_page(cast: Cast) -> None:
    mailboxes.suspend(cast.alice.mailbox, "unpaid", actor=None)
    answer = signed_in(cast.alice).get(at(cast.alice))
    assert answer.status_code == 403
    assert "suspended" in answer.text


def test_opening_marks_as_read_and_shows_the_thread(cast: Cast) -> None:
    first = file(cast.alice, mail("Contract"))
    answer = b"References: <1@example.net>\r\n" + mail("Re: Contract", 2, "My answer")
    file(cast.alice, answer, "sent", flags.SEEN)
    page = signed_in(cast.alice).get(f"{at(cast.alice)}{first.uid}/")
    assert page.status_code == 200
    assert "Hello there" in page.text
    assert "My answer" in page.text
    assert rows(cast.alice, "inbox")[0].flags & flags.SEEN


def test_hostile_mail_brings_no_script(cast: Cast) -> None:
    filed = file(cast.alice, EVIL)
    client = signed_in(cast.alice)
    one = f"{at(cast.alice)}{filed.uid}/"
    page = client.get(one)
    assert "<script>alert" not in page.text
    assert "not shown" in page.text
    sandbox = re.search(r'sandbox="([^"]*)"', page.text)
    assert sandbox
    assert "allow-scripts" not in sandbox[1]
    frame = client.get(f"{one}html/")
    for bad in ("<script", "onclick", "onerror", "javascript:", "<form", "evil.test/p.png"):
        assert bad not in frame.text
    policy = frame.headers["Content-Security-Policy"]
    for part in (
        "default-src 'none'",
        "script-src 'none'",
        "img-src 'self' data:;",
        "frame-ancestors 'self'",
    ):
        assert part in policy
    assert "allow-scripts" not in policy
    remote = client.get(f"{one}html/remote/")
    assert "evil.test/p.png" in remote.text
    assert "https:" in remote.headers["Content-Security-Policy"]


def test_attachments_are_downloads(cast: Cast) -> None:
    raw = (
        b"From: carol@example.net\r\nSubject: files\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhi\r\n"
        b"--b\r\nContent-Type: text/html\r\nContent-Disposition: attachment; filename=evil.html\r\n\r\n"
        b"<script>x()</script>\r\n--b--\r\n"
    )
    filed = file(cast.alice, raw)
    answer = signed_in(cast.alice).get(f"{at(cast.alice)}{filed.uid}/part/2/?inline=1")
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="evil.html"'
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_pages_go_on_below_the_last_uid(cast: Cast) -> None:
    for number in range(53):
        file(cast.alice, mail(f"Number-{number:03}", number))
    client = signed_in(cast.alice)
    page = client.get(at(cast.alice)).text
    assert "Number-052" in page
    assert "Number-002" not in page
    older = re.search(r'rel="next"\s+href="([^"]+)"', page)
    assert older
    rest = client.get(older[1]).text
    assert [f"Number-{number:03}" in rest for number in range(5)] == [True, True, True, False, False]


def test_search_knows_fields_and_takes_signs_as_they_are(cast: Cast) -> None:
    file(cast.alice, mail("Contract for 50% off", 1))
    file(cast.alice, mail("Other", 2, "about a contract"))
    client = signed_in(cast.alice)
    inbox = at(cast.alice)

    def found(query: str) -> int:
        return client.get(inbox, {"q": query}).text.count("data-row")

    assert found("contract") == 2
    assert found("subject:contract") == 1
    assert found("from:carol other") == 1
    assert found("50%") == 1
    assert found("%") == 1
    assert found("from:dave") == 0


def test_searches_all_folders_but_junk_and_trash(cast: Cast) -> None:
    for number, role in enumerate(("inbox", "archive", "trash", "junk")):
        file(cast.alice, mail("Contract", number), role)
    client = signed_in(cast.alice)

    def found(role: str, **more: str) -> set[str]:
        page = client.get(at(cast.alice, role), {"q": "contract", **more}).text
        return set(re.findall(r'name="uid"\s+value="([0-9]+)\.', page))

    serials = {role: at(cast.alice, role).split("/")[-2] for role in ("inbox", "archive", "trash", "junk")}
    assert found("inbox") == {serials["inbox"], serials["archive"]}
    assert found("inbox", **{"in": "here"}) == {serials["inbox"]}
    assert found("trash") == {serials["trash"]}


def test_acts_on_what_was_found_in_several_folders(cast: Cast) -> None:
    keys = []
    for role in ("inbox", "archive"):
        uid = file(cast.alice, mail("Contract", len(keys)), role).uid
        keys.append(f"{at(cast.alice, role).split('/')[-2]}.{uid}")
    signed_in(cast.alice).post(f"{at(cast.alice)}act/", {"uid": keys, "action": "delete"})
    assert len(rows(cast.alice, "trash")) == 2
    assert rows(cast.alice, "inbox") == rows(cast.alice, "archive") == []


def test_junk_is_told_to_filters(cast: Cast) -> None:
    uid = file(cast.alice, mail("Win")).uid
    signed_in(cast.alice).post(f"{at(cast.alice)}act/", {"uid": uid, "action": "junk"})
    assert messages.keyword_names(cast.alice.mailbox.pk) == ["$Junk"]
    (row,) = rows(cast.alice, "junk")
    signed_in(cast.alice).post(f"{at(cast.alice, 'junk')}act/", {"uid": row.uid, "action": "not_junk"})
    assert messages.keyword_names(cast.alice.mailbox.pk) == ["$Junk", "$NotJunk"]
    assert len(rows(cast.alice, "inbox")) == 1


def test_empties_junk_and_trash_after_asking(cast: Cast) -> None:
    file(cast.alice, mail("m"), "trash")
    file(cast.alice, mail("kept"), "archive")
    client = signed_in(cast.alice)
    assert "1 message is deleted for good" in client.get(f"{at(cast.alice, 'trash')}empty/").text
    assert len(rows(cast.alice, "trash")) == 1
    client.post(f"{at(cast.alice, 'trash')}empty/")
    assert rows(cast.alice, "trash") == []
    assert client.post(f"{at(cast.alice, 'archive')}empty/").status_code == 404
    assert len(rows(cast.alice, "archive")) == 1


@pytest.mark.parametrize("uid", ["99999999999999999999", "0", "4294967296"])
def test_numbers_beyond_sense_are_nowhere(cast: Cast, uid: str) -> None:
    client = signed_in(cast.alice)
    assert client.get(f"{at(cast.alice)}{uid}/").status_code == 404
    assert client.get(f"/mail/{cast.alice.mailbox.public_id}/folder/{uid}{uid}/").status_code == 404
    assert client.get(at(cast.alice), {"before": uid, "after": "-1"}).status_code == 200


@pytest.mark.parametrize("bad", ["1.2.3", "1;2", "x", "\u0661", "+1", ""])
def test_refuses_what_no_page_sends(cast: Cast, bad: str) -> None:
    answer = signed_in(cast.alice).post(f"{at(cast.alice)}act/", {"uid": bad, "action": "delete"})
    assert answer.status_code == 400


def test_rights_hold(cast: Cast) -> None:
    shared = mailboxes.create(cast.alice.tenant, "team@acme.test", kind="shared", actor=None)
    mailboxes.grant(shared, cast.bob.user, Rights.READ, actor=None)
    filing = Filing(shared.tenant_id, shared.pk, "inbox")
    filed = delivery.deliver(Unit([Mail(messages.prepare(mail("Contract")), [filing])]))[0]
    serial = messages.folder_state(filed.folder_id).object_serial
    client, here = signed_in(cast.bob), f"/mail/{shared.public_id}/folder/{serial}/"
    page = client.get(f"{here}{filed.uid}/").text
    assert "Hello there" in page
    assert "/compose/" not in page
    assert 'name="action"' not in page
    # Reading alone leaves no mark.
    assert not listing.by_uid(filed.folder_id, filed.uid).has(flags.SEEN)
    assert client.post(f"{here}act/", {"uid": filed.uid, "action": "delete"}).status_code == 403
    assert client.get(f"/mail/{shared.public_id}/folders/").status_code == 403
    assert client.get(f"/mail/{shared.public_id}/compose/").status_code == 403
    assert client.get(f"{here}{filed.uid}/reply/one/").status_code == 403
    assert signed_in(cast.alice).get(here).status_code == 404


def test_folders_lie_below_what_they_are_named_after(cast: Cast) -> None:
    for name in ("Work", "Work/Acme", "Work/Acme/Bills", "archive/2024", "Archive/2025", "Far/Away"):
        folders.create(cast.alice.mailbox.pk, name)
    page = signed_in(cast.alice).get(at(cast.alice)).text
    nav = page[page.index('id="folders"') : page.index("</nav>")]
    names = re.findall(r'folder__name clip" title="([^"]+)">([^<]+)<', nav)
    assert [label for _, label in names] == [
        "Inbox", "Drafts", "Sent", "Junk", "Trash", "Archive", "2025", "archive/2024", "Far/Away", "Work",
        "Acme", "Bills",
    ]  # fmt: skip


def test_a_swap_gets_the_message_alone(cast: Cast) -> None:
    filed = file(cast.alice, mail("Contract"))
    client = signed_in(cast.alice)
    url = f"{at(cast.alice)}{filed.uid}/"
    part = client.get(url, headers={"HX-Request": "true", "HX-Target": "reading"}).text
    assert "Hello there" in part
    assert "<html" not in part
    client.logout()
    assert client.get(url, headers={"HX-Request": "true"}).status_code == 401


@pytest.mark.parametrize(("action", "role"), [("archive", "archive"), ("junk", "junk"), ("delete", "trash")])
def test_moves_what_was_ticked(cast: Cast, action: str, role: str) -> None:
    uids = [file(cast.alice, mail(f"m{n}", n)).uid for n in range(3)]
    signed_in(cast.alice).post(f"{at(cast.alice)}act/", {"uid": uids[:2], "action": action})
    assert len(rows(cast.alice, "inbox")) == 1
    assert len(rows(cast.alice, role)) == 2


def test_deletes_for_good_only_in_trash(cast: Cast) -> None:
    uid = file(cast.alice, mail("m"), "trash").uid
    signed_in(cast.alice).post(f"{at(cast.alice, 'trash')}act/", {"uid": uid, "action": "delete"})
    assert rows(cast.alice, "trash") == []


def test_marks_and_stars(cast: Cast) -> None:
    uid = file(cast.alice, mail("m")).uid
    client, act = signed_in(cast.alice), f"{at(cast.alice)}act/"
    client.post(act, {"uid": uid, "action": "read"})
    client.post(act, {"star": uid})
    assert rows(cast.alice, "inbox")[0].flags == flags.SEEN | flags.FLAGGED
    client.post(act, {"uid": uid, "action": "unread"})
    client.post(act, {"star": uid})
    assert rows(cast.alice, "inbox")[0].flags == 0


def test_folders_are_made_renamed_and_removed(cast: Cast) -> None:
    client, url = signed_in(cast.alice), f"/mail/{cast.alice.mailbox.public_id}/folders/"
    client.post(url, {"action": "create", "name": "Work/Acme"})
    state = folders.find(cast.alice.mailbox.pk, "Work/Acme")
    assert client.post(url, {"action": "create", "name": "Work/Acme"}).status_code == 422
    client.post(url, {"action": "rename", "serial": state.object_serial, "name": "Job"})
    assert folders.find(cast.alice.mailbox.pk, "Job").folder_id == state.folder_id
    client.post(url, {"action": "delete", "serial": state.object_serial})
    assert "Job" not in {one.name for one in messages.folder_rows(cast.alice.mailbox.pk)}


def test_sends_once_however_often_it_is_pressed(cast: Cast) -> None:
    client = signed_in(cast.alice)
    for _ in range(2):
        answer = client.post(compose_url(cast.alice), letter(cast.alice))
        assert answer.status_code == 302, answer.text
    assert Submission.objects.filter(mailbox=cast.alice.mailbox).count() == 1
    assert [row.subject for row in rows(cast.bob, "inbox")] == ["Hi"]
    assert [row.subject for row in rows(cast.alice, "sent")] == ["Hi"]


def test_reply_marks_the_original(cast: Cast) -> None:
    filed = file(cast.alice, mail("Contract").replace(b"carol@example.net", b"bob@acme.test"))
    client = signed_in(cast.alice)
    page = client.get(f"{at(cast.alice)}{filed.uid}/reply/one/").text
    assert "bob@acme.test" in page
    assert "Re: Contract" in page
    fields = {name: hidden(page, name) for name in ("key", "about", "in_reply_to", "references")}
    fields |= {"in_reply_to": "1@example.net", "references": "1@example.net", "subject": "Re: Contract"}
    assert client.post(compose_url(cast.alice), letter(cast.alice, **fields)).status_code == 302
    assert rows(cast.alice, "inbox")[0].flags & flags.ANSWERED
    assert rows(cast.alice, "sent")[0].thread_id == rows(cast.alice, "inbox")[0].thread_id


@pytest.mark.parametrize(
    "bad",
    [
        {"subject": "Hi\r\nBcc: eve@evil.test"},
        {"to": "bob@acme.test\r\nBcc: eve@evil.test"},
        {"from": "bob@acme.test"},
        {"to": "nobody@acme.test"},
        {"to": ""},
        {"to": "not an address"},
    ],
)
def test_refuses_and_keeps_what_was_typed(cast: Cast, bad: dict) -> None:
    answer = signed_in(cast.alice).post(
        compose_url(cast.alice), letter(cast.alice, body="All I typed", **bad)
    )
    assert answer.status_code == 422
    assert "All I typed" in answer.text
    assert Submission.objects.count() == 0
    assert rows(cast.bob, "inbox") == []


def test_drafts_are_kept_replaced_and_sent(cast: Cast) -> None:
    client, url = signed_in(cast.alice), compose_url(cast.alice)
    upload = SimpleUploadedFile("notes.txt", b"my notes", "text/plain")
    given = letter(cast.alice, action="save", bcc="bob@acme.test", to="", attachments=upload)
    page = client.post(url, given, follow=True).text
    assert "notes.txt" in page
    assert [row.flags for row in rows(cast.alice, "drafts")] == [flags.DRAFT | flags.SEEN]
    carried = {name: hidden(page, name) for name in ("key", "draft", "source", "keep", "bcc")}
    page = client.post(
        url, letter(cast.alice, action="save", to="", **carried, subject="New"), follow=True
    ).text
    assert [row.subject for row in rows(cast.alice, "drafts")] == ["New"]
    carried = {name: hidden(page, name) for name in ("key", "draft", "source", "keep", "bcc")}
    assert client.post(url, letter(cast.alice, to="", **carried)).status_code == 302
    assert rows(cast.alice, "drafts") == []
    (got,) = rows(cast.bob, "inbox")
    raw = messages.raw_of(got.content_id).raw
    assert b"notes.txt" in raw
    assert b"\nBcc:" not in raw


def test_a_refused_letter_keeps_its_files(cast: Cast) -> None:
    upload = SimpleUploadedFile("notes.txt", b"my notes", "text/plain")
    answer = signed_in(cast.alice).post(
        compose_url(cast.alice), letter(cast.alice, to="nobody@acme.test", attachments=upload)
    )
    assert answer.status_code == 422
    assert "notes.txt" in answer.text
    assert len(rows(cast.alice, "drafts")) == 1


def test_refuses_more_files_and_text_than_a_letter_takes(cast: Cast, monkeypatch) -> None:
    client = signed_in(cast.alice)
    monkeypatch.setattr(limits, "DRAFT_FILES", 1)
    files = [SimpleUploadedFile(f"{number}.txt", b"x", "text/plain") for number in range(2)]
    page = client.post(compose_url(cast.alice), letter(cast.alice, attachments=files))
    assert page.status_code == 422
    assert "files are the most" in page.text
    monkeypatch.setattr(limits, "DRAFT_CHARS", 3)
    page = client.post(compose_url(cast.alice), letter(cast.alice, body="Long text"))
    assert page.status_code == 422
    assert "Long text" in page.text
    assert not Submission.objects.exists()


def test_hidden_fields_bring_no_recipient(cast: Cast) -> None:
    given = letter(cast.alice, references="x>\r\nBcc:bob@acme.test", to="alice@acme.test")
    signed_in(cast.alice).post(compose_url(cast.alice), given)
    assert rows(cast.bob, "inbox") == []
    for row in rows(cast.alice, "sent"):
        assert b"\nBcc:" not in messages.raw_of(row.content_id).raw


@pytest.mark.parametrize("number", ["9" * 15, "9" * 30])
def test_knows_no_message_of_a_number_beyond_all_numbers(cast: Cast, number: str) -> None:
    client = signed_in(cast.alice)
    assert client.get(f"{at(cast.alice)}{number}/").status_code == 404
    assert client.get(f"/mail/{cast.alice.mailbox.public_id}/folder/{number}/").status_code == 404


def test_a_person_writes_as_a_shared_mailbox(cast: Cast) -> None:
    office = make_mailbox(cast.alice.tenant, "office@acme.test", kind="shared", name="The Office")
    mailboxes.grant(office, cast.alice.user, Rights.READ | Rights.SEND_AS, actor=None)
    client = signed_in(cast.alice)
    assert "office@acme.test" in client.get(compose_url(cast.alice)).text
    sent = {"from": "office@acme.test", "key": "k-office"}
    assert client.post(compose_url(cast.alice), letter(cast.alice, **sent)).status_code == 302
    (row,) = listing.list_page(folders.by_role(office.pk, "sent")).rows
    assert row.from_text == "The Office <office@acme.test>"
    assert rows(cast.alice, "sent") == []
    answer = signed_in(cast.bob).post(compose_url(cast.bob), letter(cast.bob, **sent))
    assert answer.status_code == 422


PICTURE = b"\x89PNG\r\n\x1a\n" + b"not really one"


def test_shows_pictures_that_came_with_the_message_where_they_belong(cast: Cast) -> None:
    parts = email.message.EmailMessage()
    parts["From"], parts["To"], parts["Subject"] = "carol@example.net", "alice@acme.test", "Look"
    parts.set_content("Look")
    parts.add_alternative("<p>Look: <img src='cid:pic@x'> <img src='cid:none'></p>", subtype="html")
    parts.get_payload()[1].add_related(PICTURE, "image", "png", cid="<pic@x>", filename="pic.png")
    filed = file(cast.alice, parts.as_bytes(policy=email.policy.SMTP))
    client, url = signed_in(cast.alice), f"{at(cast.alice)}{filed.uid}/"
    frame = client.get(f"{url}html/")
    assert "img-src 'self' data:;" in frame.headers["Content-Security-Policy"]
    (source,) = re.findall(r'src="([^"]+)"', frame.text)
    assert "cid:" not in frame.text
    answer = client.get(source)
    assert (answer.headers["Content-Type"], b"".join(answer)) == ("image/png", PICTURE)
    assert answer.headers["Content-Disposition"].startswith("inline")
    assert signed_in(cast.charlie).get(source).status_code == 404
    assert "pic.png" not in client.get(url).text
