"""Failures of the grammar of IMAP, POP3 and SMTP."""

from __future__ import annotations

from collections.abc import Iterable

from mailcore.errors.base import MailError


class BadSyntax(MailError):
    """A command that breaks the grammar, or comes at the wrong time: BAD, not NO. (RFC 9051 §7.1.3)

    tag is the command's, as far as it could be read; None means an untagged BAD.
    """

    code = "bad_syntax"
    smtp, imap, http = (501, "5.5.2"), None, 400
    text = "That command is not valid"
    tag: bytes | None = None


class BadUrl(MailError):
    """A piece of a message to be put together that is not there, or not for this client. (RFC 4469 §4)"""

    code = "bad_url"
    imap = "BADURL"
    text = "There is nothing of that URL"

    def __init__(self, url: bytes = b"") -> None:
        super().__init__()
        quoted = url.decode("ascii").replace("\\", "\\\\").replace('"', '\\"')
        self.imap = f'BADURL "{quoted}"'  # type: ignore[misc]  # the one code that names what was wrong


class BadEvent(MailError):
    """NOTIFY of an event that nobody can be told of; the code has those that are known. (RFC 5465 §3.1)"""

    code = "bad_event"
    imap = "BADEVENT"
    text = "There are no such events here"

    def __init__(self, known: Iterable[str] = ()) -> None:
        super().__init__()
        self.imap = f"BADEVENT ({' '.join(known)})"  # type: ignore[misc]  # as in BadUrl


class TooManyNotices(MailError):
    """NOTIFY for more folders than can be watched. (RFC 5465 §3.1)"""

    code = "too_many_notices"
    imap = "NOTIFICATIONOVERFLOW"
    text = "Those are too many folders to watch"


class CompressionActive(MailError):
    """COMPRESS on a connection that is compressed already. (RFC 4978 §3)"""

    code = "compression_active"
    imap = "COMPRESSIONACTIVE"
    text = "This connection is compressed already"


class BadParameter(BadSyntax):
    """A parameter of MAIL or RCPT whose value is none. (RFC 5321 §4.1.1.11, RFC 3463 §3.6)"""

    code = "bad_parameter"
    smtp = (501, "5.5.4")


class BadSequence(BadSyntax):
    """A command of SMTP at the wrong time. (RFC 5321 §4.1.4, RFC 3463 §3.6)"""

    code = "bad_sequence"
    smtp = (503, "5.5.1")
    text = "That command does not come now"


class BadCharset(MailError):
    """SEARCH in a charset we do not read. (RFC 9051 §6.4.4)"""

    code = "bad_charset"
    # Those that people have; search_charsets.py reads more.
    http = 400
    imap = (
        "BADCHARSET (US-ASCII UTF-8 ISO-8859-1 ISO-8859-2 ISO-8859-3 ISO-8859-4 ISO-8859-5 ISO-8859-6"
        " ISO-8859-7 ISO-8859-8 ISO-8859-9 ISO-8859-10 ISO-8859-13 ISO-8859-14 ISO-8859-15 ISO-8859-16"
        " windows-1250 windows-1251 windows-1252 windows-1253 windows-1254 windows-1255 windows-1256"
        " windows-1257 windows-1258 windows-874 KOI8-R KOI8-U GB2312 GBK GB18030 HZ-GB-2312 Big5 Big5-HKSCS"
        " Shift_JIS EUC-JP ISO-2022-JP EUC-KR ISO-2022-KR TIS-620 macintosh IBM437 IBM850 IBM852 IBM866)"
    )
    text = "That charset is not supported"
    tag: bytes | None = None  # of the command, as with BadSyntax
    forgets_saved = False  # it had RETURN (SAVE) (RFC 5182 §2.1)


class NotSaved(MailError):
    """A search found too much to be kept for "$". (RFC 5182 §2.5)"""

    code = "not_saved"
    imap, http = "NOTSAVED", 400
    text = "That is too scattered a result to be kept"
