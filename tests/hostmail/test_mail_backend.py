from django.core.mail import EmailMessage, get_connection

from mailcore.models import Mailbox
from tests.cast import Cast


def send(*to: str) -> int:
    connection = get_connection("hostmail.mail_backend.SystemMail")
    return connection.send_messages([EmailMessage("Réset", "Grüße\nbye", "Hostmail <p@host.test>", to)])


def test_files_system_mail_for_people_here(db):
    cast = Cast()
    assert send(cast.alice.address) == 1
    assert Mailbox.objects.get(pk=cast.alice.mailbox.pk).message_count == 1


def test_counts_nothing_as_sent_that_it_cannot_send(db, caplog):
    assert send("somebody@outside.example") == 0
    assert "system_mail_not_sent" in caplog.text
