"""System flags as bits of `message.flags`. (RFC 9051 §2.3.2)

\\Recent is not kept on the row: a session claims it through the folder's recent_uid.
"""

SEEN = 1
ANSWERED = 2
FLAGGED = 4
DELETED = 8
DRAFT = 16

ALL = SEEN | ANSWERED | FLAGGED | DELETED | DRAFT

NAMES: dict[int, str] = {
    SEEN: "\\Seen",
    ANSWERED: "\\Answered",
    FLAGGED: "\\Flagged",
    DELETED: "\\Deleted",
    DRAFT: "\\Draft",
}

_BITS = {name.lower(): bit for bit, name in NAMES.items()}


def bit(name: str) -> int:
    """Return the bit of a system flag, in any case, or 0 for anything else."""
    return _BITS.get(name.lower(), 0)


def names(bits: int) -> list[str]:
    """Return the system flags set in bits, in the order of their bits."""
    return [name for each, name in NAMES.items() if bits & each]
