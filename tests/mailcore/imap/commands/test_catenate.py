import pytest

from mailcore.models import Message
from mailcore.services import messages
from tests.mailcore.imap.commands.talking import Talk

RAW = (
    b'Subject: hi\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n"
)


@pytest.fixture
def source(alice) -> Talk:
    alice.append(RAW)
    return alice


def newest() -> bytes:
    return messages.raw_of(Message.objects.order_by("pk").last().content_id).raw


def test_is_advertised(alice):
    assert {"CATENATE", "REPLACE"} <= set(alice.say("CAPABILITY").split())
    assert "URLAUTH" not in alice.say("CAPABILITY")


def test_puts_texts_and_parts_together(source):
    said = source.say(
        b'APPEND Drafts (\\Draft) CATENATE (TEXT {12}\r\n URL "/INBOX/;UID=1/;SECTION=2" TEXT {1}\r\n'
        b" URL /INBOX/;UID=1/;SECTION=TEXT/;PARTIAL=2.3 URL /INBOX/;UID=1)",
        b"Subject: x\r\n",
        b"!",
    )
    assert said.startswith("a OK [APPENDUID ")
    assert newest() == b"Subject: x\r\ntwo!b\r\n" + RAW
    source.say("SELECT Drafts")
    assert "FLAGS (\\Draft" in source.say("FETCH 1 FLAGS")


def test_reading_marks_nothing_as_read(source):
    source.say("APPEND Drafts CATENATE (URL /INBOX/;UID=1)")
    source.say("SELECT INBOX")
    assert "FETCH (FLAGS (\\Recent))" in source.say("FETCH 1 FLAGS")


def test_means_the_selected_folder_when_none_is_named(source):
    assert "[BADURL" in source.say("APPEND Drafts CATENATE (URL ;UID=1)")
    source.say("SELECT INBOX")
    assert source.say("APPEND Drafts CATENATE (URL ;UID=1/;SECTION=1)").startswith("a OK")
    assert newest() == b"one"


@pytest.mark.parametrize(
    "url",
    [
        "/INBOX/;UID=9",
        "/Nowhere/;UID=1",
        "/INBOX;UIDVALIDITY=1/;UID=1",
        "/INBOX/;UID=1/;SECTION=9",
        "/INBOX/;UID=1;URLAUTH=anonymous",
        "imap://elsewhere.example/INBOX/;UID=1",
        "imap://bob@{host}/INBOX/;UID=1",
        "http://x/",
        'a"b\\\\c',
    ],
)
def test_says_which_url_is_none_and_files_nothing(source, settings, url):
    url = url.replace("{host}", settings.HOSTMAIL_HOSTNAME)
    count = Message.objects.count()
    quoted = url.replace("\\", "\\\\").replace('"', '\\"')
    said = source.say(f'APPEND Drafts CATENATE (TEXT {{1}}\r\n URL "{quoted}")', b"x")
    assert said.startswith(f'a NO [BADURL "{quoted}"] ')
    assert Message.objects.count() == count


def test_takes_whole_urls_of_ones_own(source, settings, cast):
    name = cast.alice.address.replace("@", "%40")
    url = f"imap://{name}@{settings.HOSTMAIL_HOSTNAME}/INBOX/;UID=1/;SECTION=2"
    assert source.say(f'APPEND Drafts CATENATE (URL "{url}")').startswith("a OK")
    assert newest() == b"two"


def test_is_bounded(source):
    source.session.surroundings.max_message = len(RAW) + 10
    said = source.say("APPEND Drafts CATENATE (URL /INBOX/;UID=1 URL /INBOX/;UID=1)")
    assert said.startswith("a NO [TOOBIG] ")
    assert source.say("APPEND Nowhere CATENATE (URL /INBOX/;UID=1)").startswith("a NO [TRYCREATE] ")
    assert source.say("APPEND Drafts CATENATE (TEXT {1}\r\n)", b"\0").startswith("a NO [CANNOT] ")
