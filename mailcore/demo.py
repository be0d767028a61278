"""The demo: two tenants, three people with some mail, and an operator, so that a first look is not empty.

Passwords are random, given back once and kept nowhere. Written by services only; called by the demo command.
"""

from __future__ import annotations

import datetime as dt
import struct
import zlib
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from mailcore.management.console import new_password
from mailcore.message import flags as bits
from mailcore.models import Mailbox, Tenant, User
from mailcore.outside import clock
from mailcore.services import addresses, domains, mailboxes, messages, tenants, users
from mailcore.services.messages import Filing, Mail, Unit

SLUG, DOMAIN = "demo", "demo.test"
OTHER_SLUG, OTHER_DOMAIN = "charlies-shop", "charlie.test"
ALICE, BOB, CHARLIE = f"alice@{DOMAIN}", f"bob@{DOMAIN}", f"charlie@{OTHER_DOMAIN}"
STELLA = "stella@staff.test"
NOTES = {
    ALICE: "owner of Demo",
    BOB: "member of Demo",
    CHARLIE: "owner of another organisation",
    STELLA: "operator, for the admin panel; no mailbox",
}


@dataclass(frozen=True, slots=True)
class Login:
    """password is "" where it was made before and nobody knows it any more."""

    address: str
    password: str
    note: str


def exists() -> bool:
    return Tenant.objects.filter(slug=SLUG).exists()


def logins() -> list[Login]:
    """The demo's people, without their passwords."""
    return [Login(address, "", note) for address, note in NOTES.items()]


def reset() -> list[Login]:
    """Give everybody a new password."""
    made = []
    for user in User.objects.filter(email__in=NOTES).order_by("pk"):
        password = new_password()
        users.set_password(user, password, actor=None)
        made.append(Login(user.email, password, NOTES[user.email]))
    return made


def seed() -> list[Login]:
    """Make the demo. Raises AlreadyExists when half of it is there: a domain of that name, a person."""
    passwords = {address: new_password() for address in NOTES}
    people = {
        ALICE: users.create(ALICE, name="Alice Archer", password=passwords[ALICE], actor=None),
        CHARLIE: users.create(CHARLIE, name="Charlie Cook", password=passwords[CHARLIE], actor=None),
    }
    users.create(STELLA, name="Stella Staff", password=passwords[STELLA], is_staff=True, actor=None)
    demo = tenants.create("Demo", slug=SLUG, owner=people[ALICE], actor=None)
    other = tenants.create("Charlie's Shop", slug=OTHER_SLUG, owner=people[CHARLIE], actor=None)
    domains.add(demo, DOMAIN, actor=None, trusted=True)
    domains.add(other, OTHER_DOMAIN, actor=None, trusted=True)
    alice = mailboxes.create(demo, ALICE, name="Alice Archer", owner=people[ALICE], actor=None)
    bob = mailboxes.create(demo, BOB, name="Bob Baker", password=passwords[BOB], actor=None)
    charlie = mailboxes.create(other, CHARLIE, name="Charlie Cook", owner=people[CHARLIE], actor=None)
    office = mailboxes.create(demo, f"office@{DOMAIN}", name="Office", kind=Mailbox.Kind.SHARED, actor=None)
    for person in (people[ALICE], mailboxes.owner_of(bob)):
        assert person is not None
        mailboxes.grant(office, person, 7, actor=None)
    addresses.add_alias(
        demo, f"info@{DOMAIN}", [f"office@{DOMAIN}"], description="On the website", actor=None
    )
    addresses.add_alias(demo, f"team@{DOMAIN}", [ALICE, BOB], description="Everybody", actor=None)
    _file(alice, bob, charlie, office)
    return [Login(address, password, NOTES[address]) for address, password in passwords.items()]


# --- Some mail -------------------------------------------------------------------------------------------


def _file(alice: Mailbox, bob: Mailbox, charlie: Mailbox, office: Mailbox) -> None:
    units = []
    for box, name in ((alice, "Alice"), (bob, "Bob"), (charlie, "Charlie")):
        units.append(_unit(_welcome(str(box), name), (box, "inbox", 0), hours=50))
    first, answer, last = _conversation()
    units += [
        _unit(first, (bob, "sent", bits.SEEN), (alice, "inbox", bits.SEEN | bits.ANSWERED), hours=26),
        _unit(answer, (alice, "sent", bits.SEEN), (bob, "inbox", bits.SEEN | bits.ANSWERED), hours=25),
        _unit(_newsletter(), (alice, "inbox", 0), hours=8),
        _unit(_with_attachment(), (alice, "inbox", bits.FLAGGED), (bob, "inbox", 0), hours=5),
        _unit(last, (bob, "sent", bits.SEEN), (alice, "inbox", 0), hours=3),
        _unit(_question(), (office, "inbox", 0), hours=2),
    ]
    for result in messages.append_many(units):
        if isinstance(result, Exception):
            raise result


def _unit(mail: EmailMessage, *filings: tuple[Mailbox, str, int], hours: int) -> Unit:
    moment = clock.now() - dt.timedelta(hours=hours)
    mail["Date"] = format_datetime(moment)
    mail["Message-ID"] = f"<{mail['X-Demo']}.{int(moment.timestamp())}@{DOMAIN}>"
    del mail["X-Demo"]
    prepared = messages.prepare(mail.as_bytes(policy=SMTP))
    date = int(moment.timestamp())
    return Unit([
        Mail(prepared, [Filing(box.tenant_id, box.pk, role, flags=flags, internal_date=date)])
        for box, role, flags in filings
    ])  # fmt: skip


def _mail(name: str, sender: str, to: str, subject: str, text: str, html: str = "") -> EmailMessage:
    mail = EmailMessage()
    mail["X-Demo"] = name  # becomes the Message-ID, once the date is known
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = subject
    mail.set_content(text)
    if html:
        mail.add_alternative(html, subtype="html")
    return mail


def _welcome(address: str, name: str) -> EmailMessage:
    text = (
        f"Hello {name},\n\n"
        f"this is your mailbox, {address}. You can read it here, in your browser, and with any\n"
        "mail program: it speaks IMAP, POP3 and SMTP. All you need is this address and your password.\n\n"
        "A few things to try:\n\n"
        " * write to the others: alice@demo.test, bob@demo.test, charlie@charlie.test\n"
        " * add a domain in the control panel and see which DNS records it wants\n"
        " * watch under Activity what became of each message\n\nHave fun!\n"
    )
    html = (
        f"<h2>Hello {name},</h2>"
        f"<p>this is your mailbox, <b>{address}</b>. You can read it here, in your browser,"
        " and with any mail program: it speaks IMAP, POP3 and SMTP. All you need is this address and your"
        " password.</p><p>A few things to try:</p><ul>"
        "<li>write to the others: alice@demo.test, bob@demo.test, charlie@charlie.test</li>"
        "<li>add a domain in the control panel and see which DNS records it wants</li>"
        "<li>watch under <i>Activity</i> what became of each message</li></ul><p>Have fun!</p>"
    )
    sender = f"Hostmail <postmaster@{DOMAIN}>"
    return _mail(f"welcome-{name.lower()}", sender, f"{name} <{address}>", "Welcome to Hostmail", text, html)


def _conversation() -> tuple[EmailMessage, EmailMessage, EmailMessage]:
    alice, bob = f"Alice Archer <{ALICE}>", f"Bob Baker <{BOB}>"
    first = _mail(
        "lunch-1", bob, alice, "Lunch on Thursday?",
        "Hi Alice,\n\n"
        "the new place on the corner opens on Thursday. Shall we try it at half past twelve?\n\nBob\n",
    )  # fmt: skip
    answer = _mail(
        "lunch-2", alice, bob, "Re: Lunch on Thursday?",
        "Gladly! Could we make it one o'clock? There is a call before.\n\nAlice\n\n"
        "> the new place on the corner opens on Thursday. Shall we try it at half past twelve?\n",
    )  # fmt: skip
    last = _mail(
        "lunch-3", bob, alice, "Re: Lunch on Thursday?",
        "One o'clock it is. Table for two, by the window \U0001f35c\n\nBob\n\n"
        "> Gladly! Could we make it one o'clock? There is a call before.\n",
    )  # fmt: skip
    began = int((clock.now() - dt.timedelta(hours=26)).timestamp())
    went_on = int((clock.now() - dt.timedelta(hours=25)).timestamp())
    ids = f"<lunch-1.{began}@{DOMAIN}>", f"<lunch-2.{went_on}@{DOMAIN}>"
    answer["In-Reply-To"] = answer["References"] = ids[0]
    last["In-Reply-To"] = ids[1]
    last["References"] = " ".join(ids)
    return first, answer, last


def _newsletter() -> EmailMessage:
    html = (
        '<html><body style="font-family: sans-serif; background: #f4f1ea; margin: 0">'
        '<table width="100%" cellpadding="0" cellspacing="0"><tr><td align="center">'
        '<table width="560" style="background: #ffffff; padding: 24px"><tr><td>'
        '<h1 style="color: #14532d">The Garden Letter</h1>'
        '<img src="https://pictures.example/autumn.jpg" width="512" alt="A garden in autumn">'
        "<p>Late November is the time to plant tulips: the soil is cold enough to keep moulds away, and soft"
        ' enough to dig.</p><p><a href="https://garden.example/tulips">Which ones we chose this year</a></p>'
        '<p style="color: #6b7280; font-size: 12px">You get this because you asked for it.'
        ' <a href="https://garden.example/leave">No more letters</a></p>'
        "</td></tr></table></td></tr></table></body></html>"
    )
    mail = _mail(
        "garden", "The Garden Letter <letter@garden.example>", f"Alice Archer <{ALICE}>",
        "Tulips: it is not too late",
        "Late November is the time to plant tulips: the soil is cold enough to keep moulds away, and soft\n"
        "enough to dig.\n\nWhich ones we chose this year: https://garden.example/tulips\n", html,
    )  # fmt: skip
    mail["List-Id"] = "The Garden Letter <letter.garden.example>"
    mail["List-Unsubscribe"] = "<https://garden.example/leave>"
    return mail


def _with_attachment() -> EmailMessage:
    mail = _mail(
        "figures", f"Charlie Cook <{CHARLIE}>", f"Alice Archer <{ALICE}>, Bob Baker <{BOB}>",
        "Figures for October",
        "Hello both,\n\nhere are the figures, and the logo you asked for.\n\nCharlie\n",
    )  # fmt: skip
    rows = "week,orders,revenue\n40,112,5140.50\n41,98,4410.00\n42,131,6022.75\n43,120,5555.20\n"
    mail.add_attachment(rows.encode(), maintype="text", subtype="csv", filename="october.csv")
    mail.add_attachment(_picture(), maintype="image", subtype="png", filename="logo, größer.png")
    return mail


def _question() -> EmailMessage:
    return _mail(
        "opening-hours", "Dana Dewit <dana@visitor.example>", f"info@{DOMAIN}", "Are you open on Saturday?",
        "Good morning,\n\n"
        "I would like to come by on Saturday. Until when are you open?\n\nKind regards\nDana\n",
    )  # fmt: skip


def _picture(side: int = 96) -> bytes:
    """A small PNG: rings on green. (RFC 2083)"""
    rows = []
    for y in range(side):
        row = bytearray(b"\0")
        for x in range(side):
            distance = ((x - side / 2) ** 2 + (y - side / 2) ** 2) ** 0.5
            row += bytes((255, 250, 240)) if int(distance / 8) % 2 else bytes((20, 83 + y, 45))
        rows.append(bytes(row))

    def chunk(kind: bytes, octets: bytes) -> bytes:
        return struct.pack(">I", len(octets)) + kind + octets + struct.pack(">I", zlib.crc32(kind + octets))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
