"""Where is my mail? The page of an organisation."""

import pytest
from django.test import Client
from django.urls import reverse

from hostmail import traces as shown
from mailcore import limits
from mailcore.models import QueueEntry, Submission
from mailcore.services import events, messages, outbound, queue, suppressions, traces
from mailcore.services.messages import Filing, Mail, Unit
from tests.cast import Cast
from tests.fakes import MemoryWorker
from tests.mailcore.services.traces.conftest import set_apart

__all__ = ["set_apart"]

TRACE = "abcdefgh234567qr"


@pytest.fixture
def cast(db, data_dir):
    with MemoryWorker():
        yield Cast()


@pytest.fixture
def alice(cast):
    client = Client()
    client.force_login(cast.alice.user)
    return client


def page(name, *args):
    return reverse(f"web:{name}", args=["acme", *args])


def refused(person, trace=TRACE, **data):
    events.record(
        "refused", tenant_id=person.tenant.pk, trace=trace, sender="ann@else.test",
        recipient=person.address, message_id="one@else.test", data={"subject": "Lunch", **data},
    )  # fmt: skip


@pytest.fixture
def entry(cast):
    raw = f"From: {cast.alice.address}\r\nSubject: Hello <b>\r\n\r\nHow are you?\r\n".encode()
    outbound.submit(
        cast.alice.mailbox, raw, ["zoe@example.org"], user_id=cast.alice.user.pk, source="api",
        reverse_path=cast.alice.address,
    )  # fmt: skip
    return QueueEntry.objects.get()


def test_says_that_there_is_nothing_yet(alice):
    text = alice.get(page("traces")).content.decode()
    assert "No mail yet" in text
    assert "Nothing found" in alice.get(page("traces"), {"q": "nobody@x.test"}).content.decode()


def test_finds_and_tells(cast, alice):
    refused(cast.bob, reason="spam score <12>")
    refused(cast.charlie, "zzzzzzzz234567qr")
    text = alice.get(page("traces"), {"q": "ANN@else.test"}).content.decode()
    assert "Lunch" in text
    assert page("trace", TRACE) in text
    assert "zzzzzzzz" not in text
    story = alice.get(page("trace", TRACE)).content.decode()
    assert "mail from ann@else.test for bob@acme.test. spam score &lt;12&gt;." in story
    assert "The sender was told." in story
    assert alice.get(page("trace", "zzzzzzzz234567qr")).status_code == 404


def test_a_pasted_header_section_leads_to_its_mail(cast, alice):
    refused(cast.bob)
    header = f"Received: from x by y with ESMTP id {TRACE}; Tue\r\nMessage-ID: <one@else.test>\r\n"
    answer = alice.post(page("trace_paste"), {"header": header})
    assert answer.url == f"{page('traces')}?q={TRACE}"
    answer = alice.post(page("trace_paste"), {"header": "Message-ID:\r\n <one@else.test>"})
    assert answer.url == f"{page('traces')}?q=%3Cone%40else.test%3E"
    assert page("trace", TRACE) in alice.get(answer.url).content.decode()
    answer = alice.post(page("trace_paste"), {"header": "Message-ID: <none@else.test>"}, follow=True)
    assert "No mail of this organisation has these" in answer.content.decode()


def test_keeps_to_the_days_asked_for(cast, alice):
    refused(cast.bob)
    assert TRACE not in alice.get(page("traces"), {"until": "2020-01-01"}).content.decode()
    assert TRACE in alice.get(page("traces"), {"since": "2020-01-01"}).content.decode()
    assert alice.get(page("traces"), {"since": "yesterday"}).status_code == 422
    assert alice.get(page("traces"), {"before": "x" * 50, "q": "\0'%"}).status_code in (200, 422)


def test_leads_to_older_pages_and_back(cast, alice, monkeypatch):
    monkeypatch.setattr(limits, "TRACE_PAGE", 2)
    for number in range(3):
        refused(cast.bob, f"trace{number}")
    first = alice.get(page("traces"), {"q": "ann@else.test"})
    assert page("trace", "trace1") in first.content.decode()
    assert page("trace", "trace0") not in first.content.decode()
    older = alice.get(page("traces") + first.context["next"]).content.decode()
    assert page("trace", "trace0") in older
    assert 'href="/o/acme/traces/?q=ann%40else.test"' in older


def test_steers_the_queue(cast, alice, entry):
    trace = Submission.objects.get().trace
    queue.hold(entry, actor=None)
    text = alice.get(page("trace", trace)).content.decode()
    assert "On hold" in text
    assert "Hello &lt;b&gt;" in text
    assert entry.public_id in text
    answer = alice.post(page("trace_act", trace), {"do": "release", "entry": entry.public_id}, follow=True)
    assert "It is tried now." in answer.content.decode()
    assert QueueEntry.objects.get().state == "waiting"
    alice.post(page("trace_act", trace), {"do": "retry", "entry": entry.public_id})
    queue.drop(entry, actor=None)
    answer = alice.post(page("trace_act", trace), {"do": "retry", "entry": entry.public_id}, follow=True)
    assert "The entry is dropped" in answer.content.decode()
    assert alice.post(page("trace_act", trace), {"do": "retry", "entry": "nothing"}).status_code == 404
    assert alice.post(page("trace_act", "other"), {"entry": entry.public_id}).status_code == 404


def test_offers_to_take_an_address_off_the_suppression_list(cast, alice):
    tenant = cast.alice.tenant
    data = {"status": "5.1.1", "reply": "no such user", "host": "mx.example.org"}
    events.record("bounced", tenant_id=tenant.pk, trace="it", recipient="zoe@example.org", data=data)
    suppressions.note_bounces([(tenant.pk, "zoe@example.org", "5.1.1", "no such user")])
    listed = tenant.suppressions.get()
    assert page("suppression_remove", listed.public_id) in alice.get(page("trace", "it")).content.decode()


def test_tells_each_of_several_recipients(cast, alice):
    tenant = cast.alice.tenant
    for number, kind in enumerate(("relayed", "bounced", "relayed", "deferred")):
        events.record(
            kind, tenant_id=tenant.pk, trace="it", recipient=f"r{number}@x.test", data={"host": "h"}
        )
    text = alice.get(page("trace", "it")).content.decode()
    assert "4 recipients: 2 taken by their server, 1 returned, 1 waiting." in text
    assert "postmaster@x.test" in text
    assert "<strong>r3@x.test</strong>" in text
    row = alice.get(page("traces")).content.decode()
    assert "r0@x.test, r1@x.test and 2 more" in row


def test_asks_again_while_it_is_looked_at(cast, alice, entry):
    trace = Submission.objects.get().trace
    assert 'data-look="5"' in alice.get(page("trace", trace)).content.decode()
    queue.drop(entry, actor=None)
    assert 'data-look="20"' in alice.get(page("trace", trace)).content.decode()


@pytest.mark.parametrize("name", ["traces", "trace"])
def test_is_for_those_who_run_the_organisation(cast, name):
    refused(cast.bob)
    url = page(name, *([TRACE] if name == "trace" else []))
    assert Client().get(url).status_code == 302
    for person in (cast.bob, cast.charlie):
        client = Client()
        client.force_login(person.user)
        assert client.get(url).status_code == 404


def test_every_state_has_a_sentence_and_a_badge(cast, alice):
    states = "delivered refused sending waiting held relayed bounced dropped quarantined".split()
    story = traces.Story(1, "it")
    for state in states:
        one = traces.Outcome("zoe@x.test", state, cast.alice.user.date_joined)
        assert traces.words.sentence(story, one)
        assert traces.words.advise(story, one).text
        story.outcomes = [one]
        assert shown.badge(story)


def test_junk_is_not_called_delivered(cast, alice):
    filing = Filing(cast.bob.tenant.pk, cast.bob.mailbox.pk, "junk", recipient=cast.bob.address)
    mail = Mail(messages.prepare(b"Subject: Lunch\r\n\r\nHi\r\n"), [filing])
    messages.append_many([Unit([mail], trace=TRACE, sender="ann@else.test", data={"subject": "Lunch"})])
    for url in (page("traces"), page("trace", TRACE)):
        text = alice.get(url).content.decode()
        assert "In Junk" in text
        assert "badge--ok" not in text


def test_releases_from_quarantine(cast, alice, set_apart):
    kept, other = set_apart(cast.bob, TRACE), set_apart(cast.charlie, "zzzzzzzz234567qr")
    assert kept.public_id in alice.get(page("trace", TRACE)).content.decode()
    where = page("trace_act", TRACE)
    assert alice.post(where, {"do": "unquarantine", "entry": other.public_id}).status_code == 404
    answer = alice.post(where, {"do": "unquarantine", "entry": kept.public_id}, follow=True)
    assert "It is in the Inbox now." in answer.content.decode()
    assert "Delivered to the Inbox of bob@acme.test" in answer.content.decode()
    assert alice.post(where, {"do": "unquarantine", "entry": kept.public_id}).status_code == 404
