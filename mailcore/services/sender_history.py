"""Whether the mailboxes that a mail reaches know its sender: they have written there before.

Evidence in favour, for services/spam. It counts only where DMARC proves the sender, for anybody can write a
name into From, and only when all of them know it, for the mail tells one score to all.
"""

from __future__ import annotations

from collections.abc import Collection

from mailcore.senderauth.sender import Verdict
from mailcore.services import allowances, sender_rules, sql


def is_known(verdict: Verdict, header: bytes, mailbox_ids: Collection[int]) -> bool:
    """Whether each of these mailboxes wrote to the proven author of this mail. False for no mailbox."""
    author, boxes = sender_rules.proven_author(verdict, header), sorted(set(mailbox_ids))
    if not author or not boxes:
        return False
    where, params = sql.any_of("mailbox_id", boxes)
    rows = sql.rows(
        f"SELECT mailbox_id FROM acquaintance WHERE address_key = %s AND {where}",
        [allowances.key_of(author), *params],
    )
    return len(rows) == len(boxes)
