import pytest

from mailcore.models import Message
from mailcore.services import messages
from tests.mailcore.imap.commands.talking import Talk

MAILS = (
    "Message-ID: <1@x>\r\nSubject: plan\r\nDate: Mon, 02 Jan 2023 10:00:00 +0000",
    "Message-ID: <2@x>\r\nSubject: Re: plan\r\nReferences: <1@x>\r\nDate: Mon, 02 Jan 2023 12:00:00 +0000",
    "Message-ID: <3@x>\r\nSubject: other\r\nDate: Mon, 02 Jan 2023 09:00:00 +0000",
    "Message-ID: <4@x>\r\nSubject: re: PLAN\r\nIn-Reply-To: <1@x>\r\nDate: Mon, 02 Jan 2023 11:00:00 +0000",
    # Who changed the subject still answers; who lost the ids still says "Re:".
    "Message-ID: <5@x>\r\nSubject: new\r\nReferences: <1@x> <2@x>\r\nDate: Mon, 02 Jan 2023 13:00:00 +0000",
    "Subject: Re: Other\r\nDate: Mon, 02 Jan 2023 14:00:00 +0000",
)


@pytest.fixture
def threading(alice) -> Talk:
    for header in MAILS:
        alice.append(f"{header}\r\n\r\nHello\r\n".encode())
    alice.say("SELECT INBOX")
    return alice


def said(talk: Talk, line: str) -> str:
    first, tagged = talk.say(line).split("\r\n")[:2]
    assert tagged == "a OK THREAD completed"
    return first


def test_is_advertised(alice):
    assert {"THREAD=REFERENCES", "THREAD=ORDEREDSUBJECT"} <= set(alice.say("CAPABILITY").split())


def test_draws_threads(threading):
    assert said(threading, "THREAD REFERENCES UTF-8 ALL") == "* THREAD (3 6)(1 (4)(2 5))"
    assert said(threading, "thread orderedsubject US-ASCII ALL") == "* THREAD (3 6)(1 (4)(2))(5)"


def test_draws_only_what_is_found(threading):
    assert said(threading, "THREAD REFERENCES UTF-8 2,4") == "* THREAD ((4)(2))"
    assert said(threading, "THREAD REFERENCES UTF-8 2:4 NOT SUBJECT other") == "* THREAD ((4)(2))"
    assert said(threading, "THREAD REFERENCES UTF-8 DELETED") == "* THREAD"
    assert said(threading, "THREAD ORDEREDSUBJECT UTF-8 UID 99") == "* THREAD"


def test_answers_with_uids(threading):
    threading.say("STORE 1 +FLAGS.SILENT (\\Deleted)")
    threading.say("EXPUNGE")
    assert said(threading, "UID THREAD REFERENCES UTF-8 ALL") == "* THREAD (3 6)((4)(2 5))"
    assert said(threading, "THREAD REFERENCES UTF-8 ALL") == "* THREAD (2 5)((3)(1 4))"


def test_leaves_out_what_went_and_holds_the_news_of_it_back(threading):
    messages.expunge(Message.objects.get(uid=3).folder_id, [(3, 3)], only_deleted=False)
    answer = threading.say("THREAD REFERENCES UTF-8 1:*")
    assert answer.startswith("* THREAD (1 (4)(2 5))(6)\r\n")
    assert "EXPUNGE" not in answer
    assert "* 3 EXPUNGE" in threading.say("NOOP")


def test_reads_more_than_a_page(threading, monkeypatch):
    monkeypatch.setattr("mailcore.limits.IMAP_PAGE_ROWS", 5)
    assert said(threading, "THREAD REFERENCES UTF-8 ALL") == "* THREAD (3 6)(1 (4)(2 5))"


@pytest.mark.parametrize(
    "line",
    [
        "THREAD",
        "THREAD REFERENCES",
        "THREAD REFERENCES UTF-8",
        "THREAD REFS UTF-8 ALL",
        "THREAD (REFERENCES) UTF-8 ALL",
        "THREAD RETURN () REFERENCES UTF-8 ALL",
        "UID THREAD ORDEREDSUBJECT ALL",
    ],
)
def test_refuses_what_is_no_thread(threading, line):
    answer = threading.say(line)
    assert answer.startswith("a BAD ") or "BADCHARSET" in answer
    assert "* THREAD" not in answer
