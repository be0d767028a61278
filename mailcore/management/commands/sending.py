"""`manage.py sending`: what mailboxes and organisations may send, and letting them go on when stopped."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailcore.management.console import Action, Error, Options, Tool, argument, find_mailbox, find_tenant
from mailcore.models import Allowance, Mailbox, Tenant
from mailcore.services import allowances, stops


class Command(Tool):
    help = "Sending: show, limit, stop, resume."

    def actions(self) -> Sequence[Action]:
        who = argument("who", help="an address of a mailbox, or the slug of an organisation")
        address = argument("address", help="an address of the mailbox")
        return (
            Action("show", self.show, "Show what it sent today, and may.", (who,)),
            Action(
                "limit", self.limit, "Say how many recipients outside it may write to in a day.",
                (
                    who,
                    argument("--recipients", metavar="N", help="a number, or none for the service's setting"),
                    argument("--first", metavar="N", help="of them, those it never wrote to before"),
                ),
            ),
            Action(
                "stop", self.stop, "Let nothing more leave a mailbox; all else of it works on.",
                (address, argument("--because", default="an administrator said so")),
            ),
            Action(
                "resume", self.resume, "Let a mailbox send again, and what waited go out.",
                (address, argument("--drop", action="store_true", help="drop what waited instead")),
            ),
        )  # fmt: skip

    def show(self, options: Options) -> None:
        self._told(_whom(options["who"]))

    def limit(self, options: Options) -> None:
        whom = _whom(options["who"])
        row = allowances.row_of(whom)
        allowances.set_ceilings(
            whom,
            recipients=_number(options["recipients"], row.recipient_ceiling),
            first=_number(options["first"], row.first_ceiling),
            actor=None,
        )
        self._told(whom)

    def stop(self, options: Options) -> None:
        mailbox = find_mailbox(options["address"])
        stops.stop(mailbox, options["because"], actor=None)
        self._told(mailbox)

    def resume(self, options: Options) -> None:
        mailbox = find_mailbox(options["address"])
        count = stops.lift(mailbox, drop=options["drop"], actor=None)
        done = "dropped" if options["drop"] else "going out"
        self.say(f"{mailbox} may send again; {count} {done}", address=str(mailbox), entries=count)

    def _told(self, whom: Mailbox | Tenant) -> None:
        day = allowances.today(whom)
        row = allowances.row_of(whom)
        words = (
            f"{whom}: {day.recipients} of {_most(day.recipient_limit)} recipients today,"
            f" {day.first_recipients} of {_most(day.first_limit)} for the first time; {day.held} held"
        )
        if row.stopped_at:
            words += f". Stopped: {row.stopped_because}"
        self.say(
            words, name=str(whom), recipients=day.recipients, recipient_limit=day.recipient_limit,
            first_recipients=day.first_recipients, first_limit=day.first_limit, held=day.held,
            stopped_because=_reason(row),
        )  # fmt: skip


def _reason(row: Allowance) -> str | None:
    return row.stopped_because if row.stopped_at else None


def _most(limit: int | None) -> str:
    return "any number of" if limit is None else str(limit)


def _number(text: str | None, before: int | None) -> int | None:
    """What was typed: a number from 0, none; left out, as before."""
    if text is None:
        return before
    if text.lower() == "none":
        return None
    if not re.fullmatch(r"[0-9]{1,12}", text, re.ASCII):
        raise Error(f"{text!r} is no number: write one from 0, or none")
    return int(text)


def _whom(text: str) -> Mailbox | Tenant:
    return find_mailbox(text) if "@" in text else find_tenant(text)
