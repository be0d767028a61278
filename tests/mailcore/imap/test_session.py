"""Running commands: states, errors to words, and news."""

import logging

import pytest

from mailcore.errors import BadCharset, FolderGone, OverQuota
from mailcore.imap.commands import REGISTRY
from mailcore.imap.session import SAID, Done, Session, Spec, State, Work
from mailcore.imap.view import View
from mailcore.imap.wire.values import Simple
from tests.mailcore.imap.commands.reading import Inbox, mail


@pytest.fixture
def inbox(db, data_dir) -> Inbox:
    return Inbox()


def run(session: Session, handler, *, states: State = State.SELECTED, **nature) -> bytes:
    spec = Spec("TEST", states, "", handler, **nature)
    return b"".join(session.run(spec, Simple(b"a", "TEST")))


def raising(error: Exception):
    def handler(session, command):
        yield b"* something\r\n"
        raise error

    return handler


def done(session, command):
    yield b""
    return Done("done", b"CODE")


def test_answers_with_words_and_code(inbox):
    assert run(inbox.session(), done) == b"a OK [CODE] done\r\n"


def test_a_handler_may_answer_itself(inbox):
    def handler(session, command):
        yield b"a OK said\r\n"
        return SAID

    assert run(inbox.session(), handler) == b"a OK said\r\n"


def test_news_come_before_the_answer(inbox):
    session = inbox.session()
    inbox.file(mail())
    assert run(session, done) == b"* 1 EXISTS\r\n* 0 RECENT\r\na OK [CODE] done\r\n"
    inbox.file(mail())
    assert run(session, done, polls=False) == b"a OK [CODE] done\r\n"


def test_expunges_wait_for_a_command_without_sequence_numbers(inbox):
    inbox.file(mail())
    session = inbox.session()
    inbox.expunge([(1, 1)])
    assert run(session, done, uses_seqs=True) == b"a OK [CODE] done\r\n"
    assert run(session, done) == b"* 1 EXPUNGE\r\na OK [CODE] done\r\n"


def test_refusals_bring_news_too(inbox):
    session = inbox.session()
    inbox.file(mail())
    said = run(session, raising(OverQuota()))
    assert said == b"* something\r\n* 1 EXISTS\r\n* 0 RECENT\r\na NO [OVERQUOTA] The mailbox is full\r\n"


def test_a_charset_we_cannot_read(inbox):
    said = run(inbox.session(), raising(BadCharset()))
    assert said.endswith(b"IBM866)] That charset is not supported\r\n")


def test_a_crash_is_logged_and_says_nothing(inbox, caplog):
    session = inbox.session()
    with caplog.at_level(logging.ERROR):
        said = run(session, raising(ZeroDivisionError("secret")))
    assert said == b"* something\r\na NO [SERVERBUG] Internal error, please try again later\r\n"
    assert "ZeroDivisionError" in caplog.text
    assert session.state is State.SELECTED


def test_a_crash_in_the_news_does_not_unsay_the_answer(inbox, caplog, monkeypatch):
    session = inbox.session()
    monkeypatch.setattr(View, "update", lambda *_, **__: 1 / 0)
    assert run(session, done) == b"a OK [CODE] done\r\n"
    assert "ZeroDivisionError" in caplog.text


def test_a_folder_that_went_ends_it(inbox, monkeypatch):
    session = inbox.session()

    def gone(folder_id):
        raise FolderGone

    monkeypatch.setattr(session.snapshots, "current", gone)
    assert run(session, done) == b"a OK [CODE] done\r\n* BYE The selected folder was deleted\r\n"
    assert session.state is State.LOGOUT


@pytest.mark.parametrize(
    ("state", "states", "words"),
    [
        (State.NOT_AUTHENTICATED, State.SELECTED, b"Please log in first"),
        (State.AUTHENTICATED, State.SELECTED, b"Please select a folder first"),
        (State.SELECTED, State.NOT_AUTHENTICATED, b"You are logged in already"),
        (State.LOGOUT, State.SELECTED | State.AUTHENTICATED, b""),
    ],
)
def test_commands_at_the_wrong_time(inbox, state, states, words):
    session = inbox.session()
    session.state = state
    said = run(session, done, states=states)
    assert said.startswith(b"a BAD ")
    assert words in said
    assert session.failures == 1


def test_on_the_loop_it_asks_a_thread_for_what_is_not_known(inbox, monkeypatch):
    session = inbox.session()
    monkeypatch.setattr(session.snapshots, "current_on_loop", lambda folder_id: None)
    session.on_loop = True
    running = session.run(REGISTRY["NOOP"], Simple(b"a", "NOOP"))
    request = next(running)
    assert isinstance(request, Work)
    inbox.file(mail())
    assert running.send(request.function(*request.arguments)) == b"* 1 EXISTS\r\n"
    assert b"".join(running) == b"* 0 RECENT\r\na OK NOOP completed\r\n"


def test_repr_hides_nothing_that_matters_for_memory(inbox):
    """An idle client costs little: no dictionary in the session or its view."""
    session = inbox.session()
    assert not hasattr(session, "__dict__")
    assert not hasattr(session.view, "__dict__")
