"""The address outside that links for a new password go to."""

import re

import pytest
from django.core import mail as outbox
from django.test import Client
from django.urls import reverse

from mailcore import limits
from mailcore.models import AuditEntry, User
from mailcore.outside import counters
from mailcore.services import logins, users
from tests.cast import PASSWORD, Cast

OUTSIDE = "alice@outside.example"


@pytest.fixture
def cast(db) -> Cast:
    logins.forget_all()
    return Cast()


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def ask(client: Client, email: str, password: str = PASSWORD):
    return client.post(reverse("account_email"), {"email": email, "password": password})


def link() -> str:
    found = re.search(r"/recovery/\S+", outbox.outbox[-1].body)
    assert found
    return found[0]


def recovery_of(user: User) -> str:
    return User.objects.get(pk=user.pk).recovery_email


def test_counts_only_after_its_link_was_opened_and_confirmed(cast):
    alice = client_of(cast.alice.user)
    assert ask(alice, f" {OUTSIDE} ").status_code == 302
    assert outbox.outbox[-1].to == [OUTSIDE]
    assert recovery_of(cast.alice.user) == ""
    assert OUTSIDE in alice.get(link()).content.decode()
    assert recovery_of(cast.alice.user) == ""
    assert alice.post(link()).status_code == 302
    assert recovery_of(cast.alice.user) == OUTSIDE
    assert [message.to for message in outbox.outbox[1:]] == [[cast.alice.user.email]]
    assert AuditEntry.objects.filter(verb="user.recovery").count() == 1


def test_asks_for_the_password(cast):
    answer = ask(client_of(cast.alice.user), OUTSIDE, "wrong")
    assert answer.status_code == 422
    assert outbox.outbox == []


def test_takes_no_address_that_the_same_password_opens(cast):
    for email in (cast.alice.user.email, cast.alice.address, "no address"):
        assert ask(client_of(cast.alice.user), email).status_code == 422
    assert outbox.outbox == []


def test_believes_a_link_only_from_the_person_who_asked(cast):
    ask(client_of(cast.alice.user), OUTSIDE)
    bob = client_of(cast.bob.user)
    assert bob.post(link()).status_code == 410
    assert OUTSIDE not in bob.get(link()).content.decode()
    assert Client().post(link()).status_code == 302
    assert (recovery_of(cast.alice.user), recovery_of(cast.bob.user)) == ("", "")
    broken = link()[:-3] + "x" * 2 + "/"
    assert client_of(cast.alice.user).post(broken).status_code == 410


def test_forgets_links_when_the_password_changes(cast):
    ask(client_of(cast.alice.user), OUTSIDE)
    users.set_password(cast.alice.user, "another good password 7", actor=None)
    assert client_of(cast.alice.user).post(link()).status_code == 410


def test_can_be_taken_away(cast):
    users.set_recovery_email(cast.alice.user, OUTSIDE, actor=None)
    assert ask(client_of(cast.alice.user), "").status_code == 302
    assert recovery_of(cast.alice.user) == ""


def test_mails_no_more_than_a_few_links_a_day(cast):
    alice = client_of(cast.alice.user)
    counters.clear(f"recovery-link:{cast.alice.user.pk}")
    answers = [
        ask(alice, f"a{number}@outside.example").status_code for number in range(limits.RECOVERY_LINKS + 1)
    ]
    assert answers == [302] * limits.RECOVERY_LINKS + [422]
