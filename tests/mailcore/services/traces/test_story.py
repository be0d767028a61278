"""The story of a mail: one sentence, one thing to do, and every step."""

import pytest

from mailcore import limits
from mailcore.errors import NoSuchName
from mailcore.message.flags import SEEN
from mailcore.models import QueueEntry, Submission, Suppression
from mailcore.services import (
    addresses,
    events,
    folders,
    inbound,
    messages,
    outbound,
    quarantine,
    queue,
    traces,
)
from mailcore.services.inbound import Transaction, accept_recipient
from mailcore.services.traces import words

pytestmark = pytest.mark.django_db(transaction=True)


def told(person, trace=None):
    """The sentence, the advice and the story, as seen by the organisation of person."""
    story = traces.tell(person.tenant.pk, trace or Submission.objects.get().trace)
    return words.headline(story), words.advice(story), story


def test_knows_nothing_of_the_mail_of_others(cast, file):
    file(cast.bob, "it")
    assert traces.tell(cast.charlie.tenant.pk, "it") is None
    assert traces.tell(cast.bob.tenant.pk, "other") is None
    assert traces.summaries([]) == []


def test_delivered_read_and_moved(cast, file, clock):
    filed = file(cast.bob, "it", sender_domain="else.test")
    sentence, advice, story = told(cast.bob, "it")
    at = f"{clock.now():%H:%M}"
    assert sentence == f"Delivered to the Inbox of bob@acme.test at {at}."
    assert (advice.action, story.subject, story.sender) == ("", "Lunch on Friday", "ann@else.test")
    assert not story.is_moving

    clock.advance(60)
    messages.set_flags(filed.folder_id, messages.ALL, add=SEEN, via="imap")
    archive = folders.by_role(cast.bob.mailbox.pk, "archive")
    messages.move(filed.folder_id, messages.ALL, archive, via="webmail")
    later = f"{clock.now():%H:%M}"
    sentence, _, story = told(cast.bob, "it")
    assert sentence == (
        f"Delivered to the Inbox of bob@acme.test at {at}, read at {later} by IMAP,"
        f" moved to Archive at {later} by webmail."
    )
    assert [words.line(step) for step in story.steps] == [
        "Mail from ann@else.test delivered to the Inbox of bob@acme.test",
        "Read in the Inbox of bob@acme.test by IMAP",
        "Moved from the Inbox to Archive by webmail",
    ]

    clock.advance(days=1)
    messages.expunge(archive, only_deleted=False, via="pop3")
    assert f"deleted at {clock.now():%H:%M} by POP3." in told(cast.bob, "it")[0]


def test_junk_says_why(cast, file):
    spam = {"score": 7.1, "action": "junk", "tests": ["SPF_FAIL 2.5"]}
    file(
        cast.bob,
        "it",
        folder="junk",
        reason="spam score 7.1: SPF fails",
        spam=spam,
        sender={"spf": "fail x", "dkim": ["pass y", "fail z"]},
    )
    sentence, advice, story = told(cast.bob, "it")
    assert "Delivered to Junk of bob@acme.test at" in sentence
    assert sentence.endswith(" because: spam score 7.1: SPF fails.")
    assert "It is in Junk" in advice.text
    assert "Spam score: 7.1 (SPF_FAIL 2.5)" in words.details(story.steps[0])
    assert "Sender: spf fail x; dkim pass y, fail z" in words.details(story.steps[0])


def test_refused_says_why(cast):
    events.record(
        "refused", tenant_id=cast.bob.tenant.pk, trace="it",
        sender="ann@else.test", recipient="bob@acme.test",
        data={"reason": "spam score 12"},
    )  # fmt: skip
    sentence, advice, _ = told(cast.bob, "it")
    assert sentence.startswith("Refused at ")
    assert sentence.endswith("mail from ann@else.test for bob@acme.test. spam score 12.")
    assert "The sender was told" in advice.text


def test_on_its_way_waiting_relayed(cast, send, settle, clock):
    (entry,) = send(cast.alice, "zoe@example.org")
    sentence, advice, story = told(cast.alice)
    assert sentence.startswith("Waiting to go to zoe@example.org; next try ")
    assert story.is_moving

    settle(entry, 452, "4.2.2", "mailbox full")
    row = QueueEntry.objects.get()
    sentence, advice, story = told(cast.alice)
    assert sentence == (
        f"Waiting: mx.example.org says “mailbox full”; next try {words.clock_time(row.due_at)}."
    )
    assert (advice.action, advice.target) == ("retry", row.public_id)
    assert [step.kind for step in story.steps] == ["submitted", "attempted", "deferred"]
    attempted = words.details(story.steps[1])
    assert "Answer: 452 4.2.2 mailbox full" in attempted
    assert "Address: 192.0.2.1" in attempted
    assert words.details(story.steps[2], is_told=True) == [f"Next try: {words.clock_time(row.due_at)}"]

    clock.advance(3600)
    (entry,) = queue.claim("me", queue.due()[0], 100)
    settle(entry, 250, "2.0.0", "ok 17")
    sentence, advice, story = told(cast.alice)
    assert sentence.startswith("Taken by mx.example.org for zoe@example.org at ")
    assert (advice.action, advice.to) == ("ask", "postmaster@example.org")
    assert "“ok 17”" in advice.letter
    assert story.trace in advice.letter
    assert not story.is_moving


def test_held_and_dropped(cast, send):
    send(cast.alice, "zoe@example.org")
    row = QueueEntry.objects.get()
    queue.hold(row, actor=cast.alice.user)
    sentence, advice, story = told(cast.alice)
    assert sentence.startswith("On hold")
    assert (advice.action, advice.target, story.steps[-1].kind) == ("release", row.public_id, "held")
    queue.release(row, actor=cast.alice.user)
    queue.retry(row, actor=cast.alice.user)
    queue.drop(row, actor=cast.alice.user)
    sentence, advice, story = told(cast.alice)
    assert sentence.startswith("Taken out of the queue")
    assert [step.kind for step in story.steps][-4:] == ["held", "released", "retried", "dropped"]


def test_bounced_and_suppressed(cast, send, settle):
    (entry,) = send(cast.alice, "zoe@example.org")
    settle(entry, 550, "5.1.1", "no such user", "rcpt")
    sentence, advice, story = told(cast.alice)
    assert sentence.startswith("Not delivered to zoe@example.org: mx.example.org says “no such user” at ")
    assert (advice.action, advice.target) == ("unsuppress", Suppression.objects.get().public_id)
    assert "Report about it delivered to alice@acme.test" in [words.line(step) for step in story.steps]
    Suppression.objects.all().delete()
    assert "slip of the pen" in told(cast.alice)[1].text


def test_no_host_is_said_to_have_spoken_where_there_was_none(cast, send):
    entries = send(cast.alice, "zoe@example.org")
    outbound.settle("me", outbound.refused(entries, NoSuchName("example.org does not exist")))
    sentence, _, story = told(cast.alice)
    at = words.clock_time(story.outcomes[0].at)
    assert sentence == f"Not delivered to zoe@example.org at {at}: “example.org does not exist”."
    assert "No way found for zoe@example.org" in [words.line(step) for step in story.steps]


@pytest.mark.parametrize(
    ("status", "piece"), [("5.2.2", "full"), ("5.4.7", "out of reach"), ("5.7.1", "Ask their postmaster")]
)
def test_a_bounce_has_its_own_advice(cast, status, piece):
    tenant = cast.alice.tenant.pk
    data = {"status": status, "reply": "no", "host": "mx.example.org"}
    events.record("bounced", tenant_id=tenant, trace="it", recipient="zoe@example.org", data=data)
    assert piece in told(cast.alice, "it")[1].text


def test_of_several_recipients_the_worst_comes_first(cast, send, settle):
    first, second = send(cast.alice, "yan@example.org", "zoe@example.org")
    settle(first, 250, "2.0.0")
    settle(second, 554, "5.7.1", "policy", "rcpt")
    sentence, advice, story = told(cast.alice)
    assert sentence == "2 recipients: 1 taken by their server, 1 returned."
    assert "zoe@example.org" in advice.letter
    assert [one.state for one in story.outcomes] == ["relayed", "bounced"]


def test_each_of_many_recipients_here_has_their_outcome(cast, file):
    for number in range(1, 13):
        file(cast.bob, f"it/{number}")
        file(cast.alice, f"it/{number + 12}")
    assert len(told(cast.bob, "it")[2].steps) == 24
    (listed,) = traces.summaries([(cast.bob.tenant.pk, "it")])
    assert [one.recipient for one in listed.outcomes] == ["bob@acme.test", "alice@acme.test"]


def test_a_list_of_fifty_takes_few_statements(cast, file, django_assert_max_num_queries):
    pairs = [(cast.bob.tenant.pk, f"trace{number}") for number in range(limits.TRACE_PAGE)]
    for _, trace in pairs:
        file(cast.bob, trace)
    with django_assert_max_num_queries(2):
        assert len(traces.summaries(pairs)) == limits.TRACE_PAGE


def test_passed_on_to_the_outside(cast):
    addresses.add_alias(cast.alice.tenant, "club@acme.test", ["zoe@example.org"], actor=None)
    incoming = Transaction("192.0.2.7", "mx.else.test", "ESMTP", "", "", "ann@else.test")
    incoming.recipients.append(accept_recipient(incoming, "club@acme.test"))
    steps = inbound.receive(incoming, b"From: ann@else.test\r\nSubject: Club\r\n\r\nHello\r\n")
    messages.append_many([next(steps)])
    sentence, advice, story = told(cast.alice)
    assert sentence.startswith("Waiting to go to zoe@example.org")
    assert (advice.action, story.subject, story.sender) == ("retry", "Club", "ann@else.test")
    assert [words.line(step) for step in story.steps] == [
        "Mail from ann@else.test for club@acme.test accepted",
        "Passed on to zoe@example.org",
    ]
    assert "Called itself: mx.else.test" in words.details(story.steps[0])


@pytest.mark.parametrize(
    ("name", "said"),
    [("imap", "IMAP"), ("folder", "removing its folder"), ("rename", "renaming the Inbox"),
     ("operator", "the operator"), ("", "a mail program"), ("jmap", "jmap")],
)  # fmt: skip
def test_says_what_did_it(name, said):
    assert words.via(name) == said


def test_in_quarantine_and_out_of_it(cast, set_apart):
    kept = set_apart(cast.bob, "it")
    sentence, advice, story = told(cast.bob, "it")
    assert sentence.startswith("In quarantine since ")
    assert (advice.action, advice.target, story.subject) == ("unquarantine", kept.public_id, "Prize")
    quarantine.release(kept, actor=cast.alice.user)
    sentence, advice, _ = told(cast.bob, "it")
    assert sentence.startswith("Delivered to the Inbox of bob@acme.test at ")
    assert advice.action == ""
    quarantine.discard(set_apart(cast.bob, "other"), actor=cast.alice.user)
    assert told(cast.bob, "other")[0].startswith("Deleted from quarantine at ")


@pytest.mark.parametrize(
    ("why", "piece"), [("limit", "more was sent than is allowed"), ("stopped", "looks stolen"), ("", "until")]
)
def test_says_why_it_is_held(cast, send, why, piece):
    send(cast.alice, "zoe@example.org")
    QueueEntry.objects.update(state="held", held_because=why)
    assert piece in told(cast.alice)[0]
