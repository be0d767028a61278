"""`manage.py searchindex`: the text index that searches use; it can always be made again from the mail."""

from __future__ import annotations

from collections.abc import Sequence

from mailcore.management.console import Action, Options, Tool, argument, find_mailbox
from mailcore.models import Mailbox, SearchBlock, SearchMailbox
from mailcore.services import textindex
from mailcore.services.textindex import kept

_WHICH = argument("addresses", nargs="*", metavar="ADDRESS", help="of mailboxes; none: of all")


class Command(Tool):
    help = "The text index: status, update, rebuild."

    def actions(self) -> Sequence[Action]:
        return (
            Action("status", self.status, "Show how far mailboxes are indexed.", (_WHICH,)),
            Action("update", self.update, "Index what is new, now and at full speed.", (_WHICH,)),
            Action("rebuild", self.rebuild, "Make the index again from the mail.", (_WHICH,)),
        )

    def status(self, options: Options) -> None:
        rows = []
        for box in _chosen(options):
            blocks = SearchBlock.objects.filter(mailbox_id=box.pk).values_list("members", flat=True)
            count = sum(1 for members in blocks for pk in kept.unpack(bytes(members)) if pk)
            state = SearchMailbox.objects.filter(pk=box.pk).first()
            is_current = state is not None and state.seen >= box.modseq
            rows.append((str(box), box.message_count, count, len(blocks), is_current))
        self.table(("mailbox", "messages", "indexed", "blocks", "current"), rows)

    def update(self, options: Options) -> None:
        self.table(
            ("mailbox", "indexed"), ((str(box), textindex.index_mailbox(box.pk)) for box in _chosen(options))
        )

    def rebuild(self, options: Options) -> None:
        self.table(
            ("mailbox", "indexed"), ((str(box), textindex.rebuild(box.pk)) for box in _chosen(options))
        )


def _chosen(options: Options) -> list[Mailbox]:
    if options["addresses"]:
        return [find_mailbox(address) for address in options["addresses"]]
    return list(Mailbox.objects.exclude(state=Mailbox.State.CLOSING).order_by("pk"))
