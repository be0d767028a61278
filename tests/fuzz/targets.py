"""What is fuzzed, and what has to hold for any input."""

import functools
from itertools import zip_longest

from mailcore import limits
from mailcore.errors import BadReport, MailError, NoRecords
from mailcore.filters import blocklists, spam, status
from mailcore.filters.header import oddities
from mailcore.imap.wire import parser, receiver, seqset, utf7
from mailcore.imap.wire.grammar import BadSyntax
from mailcore.imap.wire.parser import BadCharset
from mailcore.message import address, fields, sanitize
from mailcore.message.index import index
from mailcore.message.parts import parse_table
from mailcore.pop3 import wire as pop3
from mailcore.reports import arf, dmarc, tls, unpack
from mailcore.senderauth import arc, authres, dkim, sender
from mailcore.senderauth.questions import both
from tests.fuzz import LARGEST, Target
from tests.mailcore.reports import samples
from tests.messages import corpus, zoo
from tests.messages import wire as structure

IMAP_COMMANDS = [
    b'a LOGIN "joe" {3}\r\npw!\r\n',
    b"a SELECT INBOX\r\nb UID FETCH 1:*,7 (FLAGS BODY.PEEK[HEADER.FIELDS (From To)]<0.100>)\r\n",
    b'a SEARCH CHARSET UTF-8 OR (NOT SUBJECT "x" UNSEEN) SINCE 1-Jan-2026 UID 1:3,5:*\r\n',
    b"a APPEND Sent (\\Seen $Junk) \"24-Nov-2026 10:00:00 +0100\" {5+}\r\nHello\r\n",
    b"a NOTIFY SET STATUS (SELECTED (MessageNew (UID) MessageExpunge)) (subtree (a \"b\") NONE)\r\n",
    b"a STORE 1:4294967295 +FLAGS.SILENT (\\Deleted key)\r\na UID EXPUNGE 3\r\na COPY 2,4:7 &AGE-b\r\n",
    b'a LIST (SPECIAL-USE) "" (INBOX% "*") RETURN (CHILDREN)\r\na STATUS x (MESSAGES UIDNEXT)\r\n',
    b"a AUTHENTICATE PLAIN AGpvZQBwdw==\r\na IDLE\r\nDONE\r\na ID (\"name\" NIL)\r\n",
]  # fmt: skip
POP3_LINES = [
    b"USER joe\r\nPASS with blanks \r\n",
    b"TOP 1 10\r\n",
    b"UIDL 2\r\nDELE 3\r\nQUIT\r\n",
    b"AUTH PLAIN =\r\n",
]
ADDRESSES = [
    b"joe@example.org",
    b'"quoted \\" part"@example.org',
    b"<@a,@b:joe@c>",
    b'Group: a@b, "N, M" <c@d>;, e@f',
    b"=?utf-8?q?J=C3=B6?= (comment (nested)) <j@xn--bcher-kva.example>",
    b"a@[IPv6:::1]",
    b"\xc3\xbc@b\xc3\xbc.example",
]
REPORTS = [
    samples.GOOGLE, samples.SUCCESSOR, samples.TLS, samples.complaint(),
    samples.gzipped(samples.GOOGLE), samples.zipped(samples.TLS),
]  # fmt: skip
PAGES = [
    b'<p style="background:url(http://x/a)">x<img src="cid:a"><a href="javascript:x">y</a>',
    b"<style>@import 'x'; p{color:red}</style><svg><script>1</script></svg><table><td>z",
    b"<html><body bgcolor=red onload=x><form action=/><input></form><!-- <img src=y> -->",
]


@functools.cache
def mails() -> tuple[bytes, ...]:
    small = [path.read_bytes() for path in corpus() if path.stat().st_size <= LARGEST]
    beasts = [raw[:LARGEST] for raw in map(zoo.make, zoo.names())]
    return tuple(small + beasts)


def read_mail(raw: bytes) -> None:
    """Indexing is total, its structures are well formed, and every part lies inside the mail."""
    found = index(raw)
    assert found.octets == len(raw)
    assert 0 <= found.header_octets <= len(raw)
    structure.check_envelope(structure.read(found.envelope))
    structure.check_body(structure.read(found.body), extended=False)
    structure.check_body(structure.read(found.bodystructure), extended=True)
    table = parse_table(found.parts)
    for part in table.walk():
        assert 0 <= part.header_start <= part.body_start <= part.body_end <= len(raw)
        assert not part.number or table.find(part.number) is not None
    for text in (found.subject, found.preview, found.from_text, found.to_text, *found.references):
        text.encode("utf-8")
        assert "\0" not in text
    assert len(found.preview) <= 200


def handle_fields(raw: bytes) -> None:
    """The pieces of a mail put together are the mail; leaving out a field leaves the others alone."""
    header, body = fields.split(raw)
    assert header + body == raw
    names = [name for name, _, _ in fields.iter_fields(header)]
    for name in names[:5]:
        fields.get(raw, name)
        assert fields.get_raw(fields.drop(raw, [name]), name) == []
    fields.select(header, names[:3])
    fields.select(header, names[:3], negate=True)


def read_addresses(raw: bytes) -> None:
    """Lists are read whatever they say; a path is read or refused."""
    for mailbox in address.parse_list(raw):
        address.format_address(mailbox.name, mailbox.address)
    text = raw.decode("utf-8", "surrogateescape")
    try:
        path = address.parse_path(text)
        assert address.normalise_domain(path.domain) == path.domain
    except MailError:
        pass


def clean_html(raw: bytes) -> None:
    """What is left neither runs nor fetches."""
    cleaned = sanitize.clean(raw.decode("utf-8", "replace"), allow_remote=False, cid_url=lambda cid: None)
    again = cleaned.html.lower()
    assert "<script" not in again
    assert "<iframe" not in again


def receive_imap(raw: bytes) -> None:
    """However it is cut, the same commands come out; each is understood or refused."""
    limits = receiver.after_login(10_000)
    whole = _commands(limits, [raw])
    pieces = _commands(limits, [raw[at : at + 7] for at in range(0, len(raw), 7)])
    for one, other in zip_longest(whole, pieces):
        assert str(one).split("close=")[0] == str(other).split("close=")[0]
        if one != other:
            break  # a client that sends a literal unasked is hung up on, and who asks depends on the cut
    for received in whole:
        if isinstance(received, receiver.Received):
            try:
                parser.parse(received)
            except (BadSyntax, BadCharset):
                pass


def _commands(limits: receiver.Limits, chunks: list[bytes]) -> list[object]:
    made, found = receiver.Receiver(limits), []
    for chunk in chunks:
        made.feed(chunk)
        while (event := made.command()) is not None:
            if not isinstance(event, receiver.Continue):
                found.append(event)
            if isinstance(event, receiver.Refused) and event.close:
                return found
    return found


def name_folders(raw: bytes) -> None:
    """A folder name that can be read is written and read again as the same."""
    try:
        name = utf7.decode(raw)
    except (ValueError, MailError):
        return
    assert utf7.decode(utf7.encode(name)) == name


def read_sequence_sets(raw: bytes) -> None:
    try:
        ranges = seqset.parse(raw)
    except (ValueError, BadSyntax, MailError):
        return
    top = seqset.resolve(ranges, 10)
    assert all(1 <= low <= high for low, high in top)


def receive_pop3(raw: bytes) -> None:
    for line in raw.split(b"\r\n"):
        try:
            pop3.parse(line)
        except (ValueError, MailError):
            pass
    assert pop3.stuffed(raw).endswith(b".\r\n")


@functools.cache
def signed_mails() -> tuple[bytes, ...]:
    """Mails with signatures and chains, the records that judge them in fields of their own."""
    key = dkim.load_key(dkim.generate_key("ed25519"))
    texts = [
        dkim.public_record(key),
        "v=spf1 include:a.test a:%{d1r-}.%{h}._x mx/24//64 ptr exists:%{ir}.%{v}.x ip6:2001:db8::/32 exp=e.x",
        "v=spf1 redirect=b.test",
        "v=DMARC1; p=reject; sp=none; np=quarantine; adkim=s; t=y; psd=n",
    ]
    raw = b"From: Ann <a@b.test>, x@c.test\r\nSubject: =?utf-8?q?x?=\r\n\r\nbody  \r\n\r\n"
    made = [raw]
    for _ in range(2):
        raw = dkim.sign(raw, domain="b.test", keys=[("k", key)], timestamp=1) + raw
        seal = arc.seal(
            raw,
            arc.NO_CHAIN,
            results=b"b.test; spf=pass",
            domain="b.test",
            selector="k",
            key=key,
            timestamp=1,
        )
        raw = seal + raw
        made.append(raw)
    return tuple(f"X-Text: {text}\r\n".encode() + mail for text in texts for mail in made)


def judge_sender(raw: bytes) -> None:
    """Any mail has a verdict, whatever DNS says; what tells of it stands in whole fields of bounded size."""
    texts = [value.decode("utf-8", "replace").strip() for value in fields.get_raw(raw, "x-text")]
    header, _ = fields.split(raw)
    mail_from = f"x@{texts[0][:40]}" if texts else ""
    told = {"peer": "2001:db8::7", "mail_from": mail_from, "helo": raw[:60].decode("latin-1")}
    steps = both(
        sender.judge(sender.read(raw, now=5), header=header, receiver="mx.test", now=5, **told),
        blocklists.check("2001:db8::7", [blocklists.BlockList("bad.test", 1.0)]),
    )
    answers = {"TXT": texts, "PTR": ["a.test", "b.test"], "MX": ["10 a.test"], "AAAA": ["2001:db8::7"]}
    asked = next(steps)
    try:
        while True:
            asked = steps.send([answers.get(question.type) or NoRecords() for question in asked])
    except StopIteration as done:
        verdict, listed = done.value
    decision = spam.decide(
        spam.reasons(verdict, oddities(header), listed=listed, own=True), spam.Thresholds(5)
    )
    written = authres.field("mx.test", verdict) + status.fields(decision)
    assert len(written) <= 2 * limits.AUTHRES_OCTETS
    for line in written.split(b"\r\n")[:-1]:
        assert len(line) <= 998
        assert not set(line) & {10, 13, 0}
    assert written.count(b"\r\n\t") + 2 <= written.count(b"\r\n") <= written.count(b"\r\n\t") + 3
    decision.sentence()


def read_reports(raw: bytes) -> None:
    """Packed or not, a report is read or refused."""
    arf.parse(raw)
    try:
        octets = unpack.unpack(raw)
        assert len(octets) <= limits.REPORT_OCTETS
    except BadReport:
        octets = raw
    for parse in (dmarc.parse, tls.parse):
        try:
            parse(octets)
        except BadReport:
            pass


TARGETS = {
    target.name: target
    for target in (
        Target("mail", read_mail, mails()),
        Target("fields", handle_fields, mails()),
        Target("addresses", read_addresses, ADDRESSES),
        Target("html", clean_html, PAGES),
        Target("imap", receive_imap, IMAP_COMMANDS),
        Target("utf7", name_folders, [b"INBOX", b"&AGEA4g-/b", b"a&-b"]),
        Target("seqset", read_sequence_sets, [b"1:*", b"1,3,5:9", b"*:4294967295"]),
        Target("pop3", receive_pop3, POP3_LINES),
        Target("sender", judge_sender, signed_mails()),
        Target("reports", read_reports, REPORTS),
    )
}
