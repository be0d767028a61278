"""Mails that came and went, for those who look for them."""

import pytest

from mailcore.filters.spam import Action, Decision, Thresholds
from mailcore.models import Quarantined
from mailcore.outside import clock as clock_door
from mailcore.outside.smtp_replies import Reply
from mailcore.services import messages, outbound, quarantine, queue
from mailcore.services.messages import Filing, Mail, Unit
from mailcore.services.outbound.attempt import Outcome, Try
from tests.cast import Cast
from tests.fakes import FakeClock, MemoryWorker


@pytest.fixture
def clock(db):
    with FakeClock() as fake:
        yield fake


@pytest.fixture
def cast(clock, data_dir):
    with MemoryWorker():
        yield Cast()


@pytest.fixture
def file():
    """file(person, trace, ...) puts a mail from outside into a folder, and returns where it is."""

    def file(person, trace, *, folder="inbox", author="ann@else.test", subject="Lunch on Friday", **data):
        raw = f"Subject: {subject}\r\nMessage-ID: <{trace}@else.test>\r\n\r\nHi\r\n".encode()
        filing = Filing(person.tenant.pk, person.mailbox.pk, folder, recipient=person.address)
        data = {"subject": subject, "octets": len(raw), "peer": "192.0.2.7", **data}
        unit = Unit([Mail(messages.prepare(raw), [filing])], trace=trace, sender=author, data=data)
        ((filed,),) = messages.append_many([unit])
        return filed

    return file


@pytest.fixture
def send():
    """send(person, recipients...) hands mail in, and returns the entries as a worker holds them."""

    def send(person, *recipients, subject="Hello"):
        raw = f"From: {person.address}\r\nSubject: {subject}\r\n\r\nHow are you?\r\n".encode()
        outbound.submit(
            person.mailbox, raw, recipients, user_id=person.user.pk, source="api", reverse_path=person.address
        )
        return queue.claim("me", queue.due()[0], 100)

    return send


@pytest.fixture
def settle():
    """settle(entry, code, status) writes down what a host said."""

    def settle(entry, code, status, text="as it said", phase="end"):
        tried = Try(Reply(code, status, text, phase), clock_door.now(), "mx.example.org", "192.0.2.1")
        outbound.settle("me", [Outcome(entry, [tried])])

    return settle


@pytest.fixture
def set_apart():
    """set_apart(person, trace) puts a mail into quarantine, and returns its row."""

    def set_apart(person, trace):
        filing = Filing(person.tenant.pk, person.mailbox.pk, "inbox", recipient=person.address)
        data = {"subject": "Prize", "octets": 40, "peer": "192.0.2.7", "reason": "spam score 9"}
        decision = Decision(Action.QUARANTINE, 9.0, (), Thresholds(3, 0))
        kept = quarantine.Kept(
            [filing], decision, trace, "ann@else.test", "ann@else.test", "Prize", 40, "", data
        )  # fmt: skip
        mail = Mail(messages.prepare(b"Subject: Prize\r\n\r\nHi\r\n"), [], keep_for=(person.tenant.pk, None))
        unit = Unit([mail], within=lambda contents: quarantine.keep(kept, contents[0]))
        messages.append_many([unit])
        return Quarantined.objects.get(trace=trace)

    return set_apart
