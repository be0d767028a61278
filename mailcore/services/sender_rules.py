"""Whom a mailbox wants to hear from: written by its people, read for each mail that was verified.

A wanted sender's mail goes to the inbox whatever its spam score, but only when DMARC proves it to be theirs:
anybody can write a name into From. An unwanted one's goes to Junk.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mailcore import limits
from mailcore.errors import BadAddress, BadValue, NotFound
from mailcore.message import fields
from mailcore.message.address import normalise_domain, normalise_local, parse_path, scan
from mailcore.models import Mailbox, SenderRule, User
from mailcore.senderauth.sender import Verdict
from mailcore.services import addresses, audit, races, sql


def add(mailbox: Mailbox, who: str, *, is_wanted: bool, actor: User | None) -> SenderRule:
    """Want or do not want mail of an address, or of a domain ("@example.org"); replaces what was said before.

    Raises BadAddress, BadValue for too many.
    """
    key = _key(who)
    others = SenderRule.objects.filter(mailbox=mailbox).exclude(who=key)
    if others.count() >= limits.SENDER_RULES:
        raise BadValue(f"A mailbox may have at most {limits.SENDER_RULES} such rules")
    with races.change():
        rule, _made = SenderRule.objects.update_or_create(
            mailbox=mailbox, who=key, defaults={"is_wanted": is_wanted}
        )
        audit.record(actor, "sender_rule.add", mailbox, data={"who": key, "is_wanted": is_wanted})
    return rule


def remove(mailbox: Mailbox, who: str, *, actor: User | None) -> None:
    """Take back what was said of an address or a domain. Raises NotFound, BadAddress."""
    key = _key(who)
    with races.change():
        gone, _rows = SenderRule.objects.filter(mailbox=mailbox, who=key).delete()
        if not gone:
            raise NotFound(f"Nothing is said of {key}")
        audit.record(actor, "sender_rule.remove", mailbox, data={"who": key})


def _key(who: str) -> str:
    path = addresses.parse(who.strip())
    return f"{path.local}@{path.domain}"


def chosen(verdict: Verdict, header: bytes, mailbox_ids: Sequence[int]) -> dict[int, bool]:
    """Which of these mailboxes want or do not want this mail; those that say nothing are left out.

    What is said of an address comes before what is said of its domain, and "not" before "wanted".
    """
    authors = authors_of(header)
    keys = {key for one in [*authors, verdict.mail_from] for key in _keys(one)}
    if not keys or not mailbox_ids:
        return {}
    in_boxes, box_params = sql.any_of("mailbox_id", sorted(set(mailbox_ids)))
    places = ", ".join(["%s"] * len(keys))
    said: dict[int, dict[str, bool]] = {}
    for mailbox_id, who, is_wanted in sql.rows(
        f"SELECT mailbox_id, who, is_wanted FROM sender_rule WHERE {in_boxes} AND who IN ({places})",
        [*box_params, *sorted(keys)],
    ):
        said.setdefault(mailbox_id, {})[who] = bool(is_wanted)
    is_proven = bool(proven_author(verdict, header))
    wishes = {}
    for mailbox_id, rules in said.items():
        of_authors = [_first(rules, _keys(one)) for one in authors]
        if False in of_authors or _first(rules, _keys(verdict.mail_from)) is False:
            wishes[mailbox_id] = False
        elif is_proven and of_authors == [True]:
            wishes[mailbox_id] = True
    return wishes


def _first(rules: dict[str, bool], keys: Iterable[str]) -> bool | None:
    return next((rules[key] for key in keys if key in rules), None)


def _keys(address: str) -> list[str]:
    """The address and its domain as rules name them; none for what is no address."""
    try:
        path = parse_path(address)
    except BadAddress:
        return []
    return [f"{normalise_local(path.local)}@{path.domain}", f"@{path.domain}"]


def proven_author(verdict: Verdict, header: bytes) -> str:
    """The only author, if DMARC proves it to be theirs; else ""."""
    authors = authors_of(header)
    is_proven = len(authors) == 1 and verdict.dmarc is not None and verdict.dmarc.result == "pass"
    return authors[0] if is_proven else ""


def authors_of(header: bytes) -> list[str]:
    """The addresses in From, each once, at most DMARC_AUTHORS."""
    found: dict[str, None] = {}
    for value in fields.get_raw(header, "from")[: limits.DMARC_AUTHORS]:
        for one in scan(value, limits.DMARC_AUTHORS):
            if one.local is not None and one.domain is not None:
                try:
                    domain = normalise_domain(one.domain.decode("utf-8"))
                    found[f"{normalise_local(one.local.decode('utf-8'))}@{domain}"] = None
                except (BadAddress, UnicodeDecodeError):
                    continue
    return list(found)
