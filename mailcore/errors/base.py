"""What every failure is, and how SMTP, IMAP, POP3 and HTTP each say it."""

from __future__ import annotations

from typing import ClassVar


class MailError(Exception):
    """A failure that has a cause outside us, and words for it.

    code   name for programs (API problem type, logs); never changes
    retry  whether the same request may succeed later without being changed
    smtp   reply code and enhanced status code
    imap   response code of a tagged NO, without brackets; None for a NO without code
    pop3   response code of an -ERR, without brackets; None for none
    http   status
    text   one sentence for people, without a line end; the default of `public`
    """

    code: ClassVar[str] = "error"
    retry: ClassVar[bool] = False
    smtp: ClassVar[tuple[int, str]] = (550, "5.0.0")
    imap: ClassVar[str | None] = "CANNOT"
    pop3: ClassVar[str | None] = None
    http: ClassVar[int] = 400
    text: ClassVar[str] = "This cannot be done"

    def __init__(self, public: str | None = None) -> None:
        self.public = " ".join((public or self.text).split())
        super().__init__(self.public)

    def smtp_reply(self) -> str:
        """The whole reply line: '550 5.1.1 No such address here'. ASCII, as RFC 5321 §4.2 wants."""
        code, enhanced = self.smtp
        return f"{code} {enhanced} {self.public.encode('ascii', 'replace').decode('ascii')[:400]}"

    def imap_text(self) -> str:
        """What follows NO: '[OVERQUOTA] The mailbox is full'."""
        text = self.public.encode("ascii", "replace").decode("ascii")
        return f"[{self.imap}] {text}" if self.imap else text

    def pop3_text(self) -> str:
        """What follows -ERR: '[AUTH] Wrong name or password'."""
        text = self.public.encode("ascii", "replace").decode("ascii")[:400]
        return f"[{self.pop3}] {text}" if self.pop3 else text
