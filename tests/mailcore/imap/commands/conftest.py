import pytest

from tests.cast import Cast
from tests.mailcore.imap.commands.talking import Talk


@pytest.fixture
def cast(db, data_dir) -> Cast:
    return Cast()


@pytest.fixture
def alice(cast) -> Talk:
    """Alice, logged in."""
    return Talk(cast.alice)


@pytest.fixture
def selected(alice) -> Talk:
    """Alice with her inbox of five messages selected."""
    for number in range(1, 6):
        alice.append(b"Subject: %d\r\n\r\nHello\r\n" % number)
    alice.say("SELECT INBOX")
    return alice
