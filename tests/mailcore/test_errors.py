"""Every failure says the same thing in every protocol."""

import pytest

from mailcore import errors
from mailcore.errors import MailError


def every(kind=MailError):
    for each in kind.__subclasses__():
        yield each
        yield from every(each)


ALL = [each for each in dict.fromkeys(every()) if each.__module__.startswith("mailcore.errors.")]
# RFC 5530 §3, RFC 9051 §7.1, RFC 9208 §4.3, RFC 7889, RFC 4467, RFC 5464, RFC 5465 and RFC 6154 where they
# are used.
IMAP_CODES = set(
    """
    UNAVAILABLE AUTHENTICATIONFAILED AUTHORIZATIONFAILED EXPIRED PRIVACYREQUIRED CONTACTADMIN NOPERM INUSE
    EXPUNGEISSUED CORRUPTION SERVERBUG CLIENTBUG CANNOT LIMIT OVERQUOTA ALREADYEXISTS NONEXISTENT HASCHILDREN
    TRYCREATE TOOBIG UNKNOWN-CTE NOTSAVED BADCHARSET USEATTR METADATA COMPRESSIONACTIVE BADURL BADEVENT
    NOTIFICATIONOVERFLOW
    """.split()
)
POP3_CODES = {None, "SYS/TEMP", "SYS/PERM", "AUTH", "IN-USE", "LOGIN-DELAY", "UTF8"}


@pytest.mark.parametrize("error", ALL, ids=lambda error: error.__name__)
def test_agrees_with_itself(error):
    code, enhanced = error.smtp
    assert enhanced[0] == str(code)[0]
    assert 400 <= code < 600
    assert 400 <= error.http < 600
    assert error.imap is None or error.imap.split(" ")[0] in IMAP_CODES
    assert error.pop3 in POP3_CODES
    if code < 500 and error.smtp is not MailError.smtp:
        assert error.retry, "a 4xx reply asks to try again"
    if error.retry and error.smtp is not MailError.smtp:
        assert code < 500, "a 5xx reply says: never again"
    assert error.text.isascii()
    assert error.text.isprintable()
    assert len(error.text) < 200
    assert error.__doc__


def test_names_each_failure_once():
    codes = [error.code for error in ALL]
    assert sorted(codes) == sorted(set(codes))


def test_says_its_text_or_the_one_given_on_one_line():
    assert errors.OverQuota().public == "The mailbox is full"
    error = errors.BadAddress("Not valid:\r\n250 ok\u2028 é")
    assert error.public == "Not valid: 250 ok é"
    assert error.smtp_reply() == "553 5.1.3 Not valid: 250 ok ?"
    assert str(error) == error.public


def test_speaks_each_protocol():
    assert errors.OverQuota().smtp_reply() == "452 4.2.2 The mailbox is full"
    assert errors.OverQuota().imap_text() == "[OVERQUOTA] The mailbox is full"
    assert errors.LoginFailed().pop3_text() == "[AUTH] Wrong name or password"
    assert errors.BadHeader().pop3_text() == "The message header is not valid"
    assert len(errors.BadValue("x" * 5000).smtp_reply()) <= 512 - 2
