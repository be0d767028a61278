"""`manage.py spam`: what a spam score leads to, and what is kept in quarantine."""

from __future__ import annotations

from collections.abc import Sequence

from mailcore.errors import NotFound
from mailcore.management.console import YES, Action, Error, Options, Tool, argument, find_mailbox, find_tenant
from mailcore.models import Quarantined
from mailcore.services import quarantine, spam


class Command(Tool):
    help = "Unwanted mail: scores, quarantine, release, delete."

    def actions(self) -> Sequence[Action]:
        entry = argument("id", help="as `spam quarantine` shows it")
        numbers = [
            argument(f"--{name}", metavar="SCORE", help='from which score on; 0 never, "inherit" as above it')
            for name in spam.NAMES
        ]
        return (
            Action(
                "scores", self.scores, "Show or set what a score leads to, for a tenant or one mailbox.",
                (argument("whose", help="a tenant's short name, or an address of a mailbox"), *numbers),
            ),
            Action(
                "quarantine", self.quarantine, "Show what is kept, the newest first.",
                (argument("--tenant", metavar="SLUG"), argument("--mailbox", metavar="ADDRESS")),
            ),
            Action(
                "release", self.release, "File a mail in the inbox after all.",
                (entry, argument("--allow", action="store_true", help="and want its author from now on")),
            ),
            Action("delete", self.delete, "Delete a mail for good.", (entry, YES)),
        )  # fmt: skip

    def scores(self, options: Options) -> None:
        whose = options["whose"]
        mailbox = find_mailbox(whose) if "@" in whose else None
        tenant = mailbox.tenant if mailbox else find_tenant(whose)
        given = {name: _number(options[name]) for name in spam.NAMES if options[name] is not None}
        if given:
            spam.set_thresholds(tenant, mailbox, actor=None, **given)
        place = tenant.pk, mailbox.pk if mailbox else None
        own = spam.of_mailbox(mailbox) if mailbox else spam.of_tenant(tenant)
        in_force = spam.thresholds([place])[place]
        self.table(
            ("what", "own", "in_force"),
            ((name, getattr(own, name), getattr(in_force, name)) for name in spam.NAMES),
        )

    def quarantine(self, options: Options) -> None:
        rows = Quarantined.objects.order_by("-pk")
        if options["tenant"]:
            rows = rows.filter(tenant=find_tenant(options["tenant"]))
        if options["mailbox"]:
            rows = rows.filter(mailbox=find_mailbox(options["mailbox"]))
        self.table(
            ("id", "at", "recipient", "author", "subject", "score", "expires_at"),
            (
                (row.public_id, row.at, row.recipient, row.author, row.subject, row.score, row.expires_at)
                for row in rows
            ),
        )

    def release(self, options: Options) -> None:
        entry = _find(options["id"])
        quarantine.release(entry, actor=None, allow=options["allow"])
        self.say(f"{entry} is in the inbox of {entry.mailbox}", id=entry.public_id)

    def delete(self, options: Options) -> None:
        entry = _find(options["id"])
        self.sure(options, f"Delete {entry} for {entry.recipient}?")
        quarantine.discard(entry, actor=None)
        self.say(f"{entry} is deleted", id=entry.public_id)


def _number(text: str) -> float | None:
    """Raises Error."""
    if text == "inherit":
        return None
    try:
        return float(text)
    except ValueError:
        raise Error(f'{text}: a score is a number, or "inherit"') from None


def _find(public_id: str) -> Quarantined:
    """Raises NotFound."""
    entry = Quarantined.objects.filter(public_id=public_id).select_related("mailbox__tenant").first()
    if entry is None:
        raise NotFound(f"Nothing with the id {public_id} is in quarantine")
    return entry
