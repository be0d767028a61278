"""What a person types into the search field, as what the services look for. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mailcore import limits
from mailcore.services.messages.listing import Wanted

_FIELDS = {"from": "authors", "to": "recipients", "subject": "subjects"}
_STATES: dict[str, Wanted] = {
    "is:unread": Wanted(is_unread=True),
    "is:read": Wanted(is_unread=False),
    "is:starred": Wanted(is_flagged=True),
    "is:flagged": Wanted(is_flagged=True),
    "has:attachment": Wanted(has_attachments=True),
    "has:attachments": Wanted(has_attachments=True),
}


def parse(query: str) -> Wanted:
    """from:carol subject:"new contract" is:unread hello -> what is wanted. Total; what is no word is text."""
    wanted = Wanted()
    for field, text in _terms(query[: limits.SEARCH_CHARS])[: limits.SEARCH_TERMS]:
        state = _STATES.get(f"{field}:{text}".casefold())
        name = _FIELDS.get(field.casefold())
        if state is not None:
            wanted = replace(
                wanted,
                is_unread=wanted.is_unread if state.is_unread is None else state.is_unread,
                is_flagged=wanted.is_flagged or state.is_flagged,
                has_attachments=wanted.has_attachments or state.has_attachments,
            )
        elif name is not None:
            grown: dict[str, Any] = {name: (*getattr(wanted, name), text)}
            wanted = replace(wanted, **grown)
        else:
            wanted = replace(wanted, words=(*wanted.words, f"{field}:{text}" if field else text))
    return wanted


def _terms(query: str) -> list[tuple[str, str]]:
    """Pairs of a field ("" for none) and a text; quotes keep blanks together."""
    found: list[tuple[str, str]] = []
    field, text, quoted = "", "", False
    for char in query + " ":
        if char == '"':
            quoted = not quoted
        elif char == ":" and not quoted and not field and text.isalpha():
            field, text = text, ""
        elif char.isspace() and not quoted:
            if text:
                found.append((field, text))
            elif field:
                found.append(("", f"{field}:"))
            field, text = "", ""
        else:
            text += char
    if text.strip():
        found.append((field, text.strip()))
    return found
