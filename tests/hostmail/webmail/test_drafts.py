"""A letter is kept while it is written: once, whole, and never in place of another tab's."""

import email
import email.policy
import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from mailcore.services import messages
from tests.cast import Cast
from tests.hostmail.webmail.test_webmail import compose_url, file, hidden, letter, mail, rows, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast() -> Cast:
    return Cast(keys=True)


def autosave(client, person, **fields) -> dict:
    answer = client.post(compose_url(person), letter(person, **{"action": "autosave", **fields}))
    assert answer.headers["Content-Type"] == "application/json"
    return answer.json()


def test_keeps_a_letter_while_it_is_written_once(cast: Cast) -> None:
    client = signed_in(cast.alice)
    first = autosave(client, cast.alice, body="One")
    assert (first["state"], first["note"]) == ("saved", "")
    assert re.fullmatch(r"Saved \d\d:\d\d", first["text"])
    second = autosave(client, cast.alice, body="One, two", draft=first["draft"])
    (row,) = rows(cast.alice, "drafts")
    assert row.preview == "One, two"
    assert "One, two" in client.get(second["url"]).text
    assert second["draft"] != first["draft"]


def test_keeps_the_letters_of_two_tabs_apart(cast: Cast) -> None:
    client = signed_in(cast.alice)
    opened = autosave(client, cast.alice, body="Begun")["draft"]
    here = autosave(client, cast.alice, body="Here", draft=opened, key="k2")
    there = autosave(client, cast.alice, body="There", draft=opened, key="k3")
    assert not here["note"]
    assert "changed or sent elsewhere" in there["note"]
    autosave(client, cast.alice, body="There again", draft=there["draft"], key="k3")
    assert {row.preview for row in rows(cast.alice, "drafts")} == {"Here", "There again"}


def test_a_late_save_brings_no_sent_letter_back(cast: Cast) -> None:
    client = signed_in(cast.alice)
    at = autosave(client, cast.alice)["draft"]
    client.post(compose_url(cast.alice), letter(cast.alice, draft=at))
    assert autosave(client, cast.alice, draft=at) == {"state": "sent"}
    assert not rows(cast.alice, "drafts")


def test_keeps_a_letter_whose_address_is_half_typed(cast: Cast) -> None:
    client = signed_in(cast.alice)
    saved = autosave(client, cast.alice, to="Bob <bob@acme.test>, car", body="Long text")
    assert "not whole yet" in saved["note"]
    page = client.get(saved["url"]).text
    assert "Long text" in page
    assert "bob@acme.test" in page


def test_keeps_attachments_through_saves(cast: Cast) -> None:
    client = signed_in(cast.alice)
    attached = SimpleUploadedFile("plan.txt", b"the plan")
    page = client.post(
        compose_url(cast.alice), letter(cast.alice, action="save", attachments=attached), follow=True
    ).text
    at, keep = hidden(page, "draft"), hidden(page, "keep")
    for body in ("a", "b"):
        saved = autosave(client, cast.alice, body=body, draft=at, source=at, keep=keep)
        at, (kept,) = saved["draft"], saved["keep"]
        keep = kept["section"]
        assert b"".join(client.get(kept["url"])) == b"the plan"
    assert len(rows(cast.alice, "drafts")) == 1


def test_says_why_a_letter_is_not_kept(cast: Cast) -> None:
    client = signed_in(cast.alice)
    answer = client.post(
        compose_url(cast.alice), letter(cast.alice, action="autosave", **{"from": "x@y.test"})
    )
    assert (answer.status_code >= 400, answer.json()["state"]) == (True, "failed")
    lapsed = Client().post(
        compose_url(cast.alice), letter(cast.alice, action="autosave"), headers={"HX-Request": "true"}
    )
    assert lapsed.status_code == 401


# --- Formatting ------------------------------------------------------------------------------------------

RICH = (
    '<div>Dear <b>Bob</b>, see <a href="https://example.org/">this</a></div><ul><li>one</li></ul>'
    "<script>alert(1)</script><img src=x onerror=alert(2)><a href='javascript:x()'>no</a>"
)


def test_sends_formatting_beside_its_text_and_cleaned(cast: Cast) -> None:
    signed_in(cast.alice).post(
        compose_url(cast.alice), letter(cast.alice, body="Dear Bob, see this", html=RICH)
    )
    (row,) = rows(cast.bob, "inbox")
    sent = email.message_from_bytes(messages.raw_of(row.content_id).raw, policy=email.policy.default)
    assert sent.get_content_type() == "multipart/alternative"
    plain, rich = (part.get_content() for part in sent.iter_parts())
    assert plain.strip() == "Dear Bob, see this"
    assert "<b>Bob</b>" in rich
    assert "https://example.org/" in rich
    for gone in ("script", "onerror", "javascript", "alert"):
        assert gone not in rich


def test_plain_text_stays_plain(cast: Cast) -> None:
    signed_in(cast.alice).post(compose_url(cast.alice), letter(cast.alice, body="Just text", html="  "))
    (row,) = rows(cast.bob, "inbox")
    assert b"text/plain" in messages.raw_of(row.content_id).raw
    assert b"multipart" not in messages.raw_of(row.content_id).raw


def test_a_draft_keeps_its_formatting(cast: Cast) -> None:
    client = signed_in(cast.alice)
    saved = autosave(client, cast.alice, body="Dear Bob", html=RICH)
    page = client.get(saved["url"]).text
    assert 'data-html="&lt;div&gt;Dear &lt;b&gt;Bob&lt;/b&gt;' in page
    assert "onerror" not in page
    plain = autosave(client, cast.alice, body="Dear Bob", draft=saved["draft"])
    assert "data-html" not in client.get(plain["url"]).text


# --- Addresses ------------------------------------------------------------------------------------------


def test_completes_addresses_of_those_written_to_before_those_who_wrote(cast: Cast) -> None:
    client = signed_in(cast.alice)
    for number in (1, 2):
        file(cast.alice, mail("Hello", number))
    file(cast.alice, mail("Buy", 3).replace(b"carol@", b"spam@"), "junk")
    client.post(compose_url(cast.alice), letter(cast.alice, to='"Baker, Bob" <bob@acme.test>'))
    url = compose_url(cast.alice).replace("compose", "people")
    found = client.get(url).json()["people"]
    assert found == [
        {"name": "Baker, Bob", "address": "bob@acme.test", "text": '"Baker, Bob" <bob@acme.test>'},
        {"name": "Carol", "address": "carol@example.net", "text": "Carol <carol@example.net>"},
    ]
    assert signed_in(cast.charlie).get(url).status_code == 404


def test_a_draft_keeps_a_name_with_a_comma_in_one_piece(cast: Cast) -> None:
    client = Client()
    client.force_login(cast.alice.user)
    saved = autosave(client, cast.alice, to='"Baker, Bob" <bob@acme.test>, x@example.org')
    page = client.get(saved["url"]).content.decode()
    assert "&quot;Baker, Bob&quot; &lt;bob@acme.test&gt;, x@example.org" in page
