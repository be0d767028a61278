"""Every failure a caller can cause, once, and how SMTP, IMAP, POP3 and HTTP each say it.

Services and formats raise these; each face translates in one place. The text of a MailError is safe for
strangers: never put a password, a path, another tenant's name or an exception's words into it. The cause
travels in `raise ... from` and ends in the log. Anything that is not a MailError is our bug, and the faces
answer it as `Unexpected`.

Codes: RFC 3463 and RFC 5248 (SMTP), RFC 5530 and RFC 9051 §7.1 (IMAP), RFC 2449 §8 and RFC 3206 (POP3).
Long because every failure stands here once.
This module is imported by pure code too: nothing but the standard library here.
"""

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


# --- Later, perhaps ------------------------------------------------------------------------------------


class TryLater(MailError):
    """Something we need does not answer just now. Better late than lost."""

    code, retry = "try_later", True
    smtp, imap, pop3, http = (451, "4.3.0"), "UNAVAILABLE", "SYS/TEMP", 503
    text = "Temporary trouble here, please try again later"


class Unexpected(TryLater):
    """What faces say when something that is not a MailError came up: our bug, logged with its traceback."""

    code = "unexpected"
    imap, http = "SERVERBUG", 500
    text = "Internal error, please try again later"


class Busy(TryLater):
    """Too much at once: connections, sessions, messages in hand. (RFC 3463 §3.4, RFC 9051 §7.1)"""

    code = "busy"
    smtp, imap, pop3, http = (421, "4.3.2"), "LIMIT", "SYS/TEMP", 503
    text = "Too busy, please try again later"


class TooFast(TryLater):
    """A rate limit of a mailbox, tenant, peer or destination. (RFC 3463 §3.8)"""

    code = "too_fast"
    smtp, imap, pop3, http = (450, "4.7.1"), "LIMIT", "SYS/TEMP", 429
    text = "Too many requests, please slow down"


class DiskFull(TryLater):
    """No room on our side. (RFC 3463 §3.4 X.3.1)"""

    code = "disk_full"
    smtp, http = (452, "4.3.1"), 507
    text = "No storage left here, please try again later"


# --- Recipients and addresses --------------------------------------------------------------------------


class NoSuchAddress(MailError):
    """The recipient leads nowhere here. (RFC 5321 §4.2.3, RFC 3463 §3.2 X.1.1)"""

    code = "no_such_address"
    smtp, imap, http = (550, "5.1.1"), "NONEXISTENT", 404
    text = "No such address here"


class Suppressed(MailError):
    """The organisation's suppression list has the recipient: mail there bounced. (RFC 3463 §3.2 X.1.1)"""

    code = "suppressed"
    smtp, http = (550, "5.1.1"), 422
    text = "This address is on the suppression list"


class NotHere(MailError):
    """The domain is not ours and the client is not one of our own: no relaying. (RFC 5321 §3.6.2)"""

    code = "relay_denied"
    smtp, imap, http = (550, "5.7.1"), "NOPERM", 403
    text = "We do not relay to that domain"


class MailboxSuspended(MailError):
    """The mailbox exists and takes nothing. (RFC 3463 §3.3 X.2.1)"""

    code = "mailbox_suspended"
    smtp, imap, pop3, http = (550, "5.2.1"), "CONTACTADMIN", "SYS/PERM", 403
    text = "This mailbox is disabled"


class WayClosed(MailError):
    """The password is right, and the mailbox is not to be opened by this protocol. (RFC 5530 §3, RFC 3206)"""

    code = "way_closed"
    smtp, imap, pop3, http = (535, "5.7.8"), "NOPERM", "SYS/PERM", 403
    text = "This mailbox cannot be used this way; its settings have that switched off"


class TenantSuspended(MailError):
    """The organisation is suspended; it may come back, so senders should keep trying. (RFC 3463 §3.3)"""

    code, retry = "tenant_suspended", True
    smtp, imap, pop3, http = (450, "4.2.1"), "CONTACTADMIN", "SYS/TEMP", 403
    text = "This mailbox is not available at present"


class BadAddress(MailError):
    """Not an address by RFC 5321 §4.1.2, or one we refuse: source routes, literals, too long."""

    code = "bad_address"
    smtp, imap, http = (553, "5.1.3"), "CLIENTBUG", 400
    text = "That is not a valid address"


class TooManyRecipients(MailError):
    """More recipients than one transaction may have. (RFC 5321 §4.5.3.1.10)"""

    code, retry = "too_many_recipients", True
    smtp, imap, http = (452, "4.5.3"), "LIMIT", 400
    text = "Too many recipients"


class NotYours(MailError):
    """The sender address, in the envelope or in From, is not one this mailbox may use. (RFC 6409 §6.1)"""

    code = "not_yours"
    smtp, imap, http = (553, "5.7.1"), "NOPERM", 403
    text = "You may not send from that address"


class DomainUnverified(MailError):
    """Ownership of the domain is not proven: it neither receives nor sends."""

    code = "domain_unverified"
    smtp, imap, http = (550, "5.7.1"), "NOPERM", 409
    text = "This domain is not verified yet"


# --- Messages ------------------------------------------------------------------------------------------


class OverQuota(MailError):
    """The mailbox has no room left. (RFC 3463 §3.3, RFC 9208)"""

    code, retry = "over_quota", True
    smtp, imap, pop3, http = (452, "4.2.2"), "OVERQUOTA", "SYS/TEMP", 507
    text = "The mailbox is full"


class MessageTooBig(MailError):
    """Bigger than HOSTMAIL_MAX_MESSAGE. (RFC 1870 §6.1, RFC 7889)"""

    code = "message_too_big"
    smtp, imap, http = (552, "5.3.4"), "TOOBIG", 413
    text = "The message is too big"


class BadHeader(MailError):
    """The header section breaks RFC 5322 §3.6 in a way we do not accept: several From, none, too long."""

    code = "bad_header"
    smtp, imap, http = (550, "5.6.0"), "CANNOT", 400
    text = "The message header is not valid"


class RefusedByAuthor(MailError):
    """The domain in From asks that mail it does not stand behind be refused. (RFC 7372 §3.4)"""

    code = "refused_by_author"
    smtp = (550, "5.7.26")
    text = "The domain in From does not stand behind this message and asks that it be refused (DMARC)"


class BadMessage(MailError):
    """NUL, bare CR or LF, endless lines, depth: what we cannot keep exactly we refuse. (RFC 5321 §2.3.8)"""

    code = "bad_message"
    smtp, imap, http = (554, "5.6.0"), "CANNOT", 400
    text = "The message is not in a form we accept"


class UnknownCTE(MailError):
    """Octets whose transfer encoding we cannot undo, or cannot do without one for. (RFC 3516 §4.3, §4.4)"""

    code = "unknown_cte"
    imap = "UNKNOWN-CTE"
    text = "That content transfer encoding is not known here"


class Loop(MailError):
    """Too many Received fields, or the MX leads back to us. (RFC 5321 §6.3, RFC 3463 §3.5 X.4.6)"""

    code = "loop"
    smtp, imap, http = (554, "5.4.6"), "CANNOT", 400
    text = "Mail loop detected"


class Rejected(MailError):
    """Refused by policy: DMARC, a filter, an administrator's rule. (RFC 3463 §3.8 X.7.1)"""

    code = "rejected"
    smtp, imap, http = (550, "5.7.1"), "NOPERM", 403
    text = "The message was refused by policy"


class NoSuchMessage(MailError):
    """The message is gone or never was in this folder. (RFC 5530 EXPUNGEISSUED)"""

    code = "no_such_message"
    smtp, imap, http = (550, "5.0.0"), "EXPUNGEISSUED", 404
    text = "No such message"


class BadFlag(MailError):
    """A keyword that is no atom, too long, or one more than a mailbox may have. (RFC 9051 §2.3.2)"""

    code = "bad_flag"
    imap, http = "LIMIT", 400
    text = "That flag cannot be kept"


# --- Folders -------------------------------------------------------------------------------------------


class NoSuchFolder(MailError):
    """No folder of that name in this mailbox. (RFC 5530 NONEXISTENT; APPEND and COPY say TRYCREATE)"""

    code = "no_such_folder"
    imap, http = "NONEXISTENT", 404
    text = "No such folder"


class TryCreate(NoSuchFolder):
    """The folder for a message is not there, and CREATE would help. (RFC 9051 §6.3.12, §6.4.7)"""

    code = "try_create"
    imap = "TRYCREATE"


class FolderGone(NoSuchFolder):
    """The folder was deleted while somebody worked in it. (RFC 9051 §7.1)"""

    code = "folder_gone"
    http = 410
    text = "The selected folder was deleted"


class FolderLost(FolderGone):
    """It is there, but no longer for who had it open. (RFC 4314 §5.1.1)"""

    code = "folder_lost"
    text = "You may no longer read the selected folder"


class FolderExists(MailError):
    """A folder of that name is already there. (RFC 5530)"""

    code = "folder_exists"
    imap, http = "ALREADYEXISTS", 409
    text = "A folder of that name exists already"


class BadFolderName(MailError):
    """Empty, too long, too deep, control characters, or broken modified UTF-7. (RFC 9051 §5.1)"""

    code = "bad_folder_name"
    imap, http = "CANNOT", 400
    text = "That is not a valid folder name"


class FolderProtected(MailError):
    """INBOX cannot be deleted; special folders keep their use. (RFC 9051 §6.3.5)"""

    code = "folder_protected"
    imap, http = "CANNOT", 409
    text = "That folder cannot be changed this way"


class BadFolderUse(MailError):
    """The folder cannot be for that: another one is, or nothing here is. (RFC 6154 §3 USEATTR)"""

    code = "bad_folder_use"
    imap, http = "USEATTR", 409
    text = "A folder cannot have that use"


class FolderInUse(MailError):
    """The folder has children and cannot go before them. (RFC 5530 HASCHILDREN, RFC 9051 §6.3.5)"""

    code = "folder_in_use"
    imap, http = "HASCHILDREN", 409
    text = "The folder has folders below it"


class BadMetadata(MailError):
    """No name for an entry: /private/... or /shared/..., components not empty. (RFC 5464 §3.2)"""

    code = "bad_metadata"
    imap, http = "CANNOT", 400
    text = "That is not a valid name for an entry"


class MetadataTooBig(MailError):
    """A value is longer than one may be. (RFC 5464 §4.3 METADATA MAXSIZE)"""

    code = "metadata_too_big"
    imap, http = "METADATA MAXSIZE 32768", 413  # limits.METADATA_VALUE_OCTETS
    text = "The value is too long"


class TooMuchMetadata(MailError):
    """One entry more than a mailbox may have. (RFC 5464 §4.3 METADATA TOOMANY)"""

    code = "too_much_metadata"
    imap, http = "METADATA TOOMANY", 409
    text = "There is no room for more entries"


class TooManyFolders(MailError):
    """One more than a mailbox may have. (RFC 5530 LIMIT)"""

    code = "too_many_folders"
    imap, http = "LIMIT", 409
    text = "Too many folders"


# --- Signing in ----------------------------------------------------------------------------------------


class LoginFailed(MailError):
    """Wrong name or password; never say which. (RFC 4954 §6, RFC 5530, RFC 3206)"""

    code = "login_failed"
    smtp, imap, pop3, http = (535, "5.7.8"), "AUTHENTICATIONFAILED", "AUTH", 401
    text = "Wrong name or password"
    # How long a face holds the answer back, without keeping a thread busy (services/logins.py).
    wait_seconds: float = 0.0


class LoginThrottled(MailError):
    """Too many failed tries from there or for that name. (RFC 4954 §6, RFC 5530 UNAVAILABLE)"""

    code, retry = "login_throttled", True
    smtp, imap, pop3, http = (454, "4.7.0"), "UNAVAILABLE", "SYS/TEMP", 429
    text = "Too many failed attempts, please try again later"


class LoginTooWeak(MailError):
    """Not over an unprotected connection. (RFC 4954 §6 keeps 538 for clients that try anyway; RFC 5530)"""

    code = "privacy_required"
    smtp, imap, pop3, http = (538, "5.7.11"), "PRIVACYREQUIRED", "AUTH", 403
    text = "Encryption is required before signing in"


class MailboxInUse(MailError):
    """Another POP3 session has the mailbox. (RFC 2449 §8.1.2)"""

    code, retry = "mailbox_in_use", True
    imap, pop3, http = "INUSE", "IN-USE", 409
    text = "Another session is using this mailbox"


class Forbidden(MailError):
    """Known to exist for this actor, and not allowed to them. What they may not see is a NotFound."""

    code = "forbidden"
    smtp, imap, http = (550, "5.7.1"), "NOPERM", 403
    text = "You may not do that"


class ReadOnly(Forbidden):
    """The folder was opened with EXAMINE. (RFC 9051 §6.3.3)"""

    code = "read_only"
    text = "The folder was opened read-only"


class ReadersOnly(Forbidden):
    """The person may read the mailbox and not change it. (RFC 5530 NOPERM)"""

    code = "readers_only"
    text = "You may read this mailbox, but not change it"


# --- Administration ------------------------------------------------------------------------------------


class NotFound(MailError):
    """No such thing, or not one the actor may see: the two look the same."""

    code = "not_found"
    imap, http = "NONEXISTENT", 404
    text = "No such thing"


class AlreadyExists(MailError):
    """Name, address or domain is taken."""

    code = "already_exists"
    imap, http = "ALREADYEXISTS", 409
    text = "That exists already"


class NotAllowedNow(MailError):
    """The state of the thing does not permit this: closed, suspended, still pending, in use."""

    code = "not_allowed_now"
    imap, http = "CANNOT", 409
    text = "That cannot be done in its present state"


class BadValue(MailError):
    """A value given by a person or program is not acceptable; the text says which and why."""

    code = "bad_value"
    imap, http = "CANNOT", 400
    text = "That value is not acceptable"


# --- The world outside: names and routes. Their SMTP form is what a sender reads in a bounce. ----------


class LookupFailed(TryLater):
    """DNS gave no usable answer: SERVFAIL, time-out, lame, malformed. (RFC 3463 §3.5 X.4.3)"""

    code = "dns_failed"
    smtp, http = (451, "4.4.3"), 503
    text = "The name servers did not answer"


class NoSuchName(MailError):
    """NXDOMAIN: the name does not exist in DNS. (RFC 3463 §3.2 X.1.2)"""

    code = "no_such_name"
    smtp, http = (550, "5.1.2"), 404
    text = "The domain does not exist"


class NoRecords(MailError):
    """NODATA: the name exists, without records of the type asked for."""

    code = "no_records"
    smtp, http = (550, "5.1.2"), 404
    text = "The name has no such record"


class NoMailAccepted(MailError):
    """Null MX: the domain says that it accepts no mail. (RFC 7505 §4)"""

    code = "null_mx"
    smtp, http = (556, "5.1.10"), 400
    text = "The domain accepts no mail"


class NoRoute(MailError):
    """A domain whose mail hosts have no address we may use. (RFC 3463 §3.5 X.4.4)"""

    code = "no_route"
    smtp, http = (550, "5.4.4"), 400
    text = "No mail host of the domain can be reached"


# --- Grammar of IMAP and POP3 --------------------------------------------------------------------------


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


class CompressionActive(MailError):
    """COMPRESS on a connection that is compressed already. (RFC 4978 §3)"""

    code = "compression_active"
    imap = "COMPRESSIONACTIVE"
    text = "This connection is compressed already"


class BadParameter(BadSyntax):
    """A parameter of MAIL or RCPT whose value is none. (RFC 5321 §4.1.1.11, RFC 3463 §3.6)"""

    code = "bad_parameter"
    smtp = (501, "5.5.4")


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


# --- Our own store ---------------------------------------------------------------------------------------


class CannotUnseal(TryLater):
    """A secret at rest does not open: changed, or sealed under a HOSTMAIL_SECRET_KEY that we do not have."""

    code = "cannot_unseal"
    imap, http = "SERVERBUG", 500


class NoSuchBlob(TryLater):
    """Octets that a row names are not in the store: damage, or a store that lags behind."""

    code = "no_such_blob"
    imap, http = "SERVERBUG", 500
    text = "The content of the message cannot be read at present"


class StoreDown(TryLater):
    """The storage backend does not answer, or refuses."""

    code = "store_down"
    text = "The message store does not answer, please try again later"
