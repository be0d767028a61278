"""What a sender wishes of TLS on the way, as one word: REQUIRETLS or TLS-Required: No. RFC 8689. (pure)"""

from __future__ import annotations

import re

REQUIRED, WAIVED = "yes", "no"
_PARAMETER = re.compile(r" REQUIRETLS(?= |\Z)", re.IGNORECASE)
# The path, whose quoted local part may look like anything, and the parameters behind it.
_PARTS = re.compile(r"(FROM: *<(?:\"(?:[^\"\\]|\\.)*\"|[^\">])*>)(.*)\Z", re.IGNORECASE | re.DOTALL)
_FIELD = re.compile(rb"^TLS-Required[ \t]*:([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.IGNORECASE | re.MULTILINE)


def take(arg: str) -> tuple[str, bool]:
    """The argument of MAIL without REQUIRETLS, and whether it was there. (RFC 8689 §2)"""
    match = _PARTS.match(arg)
    if match is None:
        return arg, False
    rest, count = _PARAMETER.subn("", match[2])
    # Twice is a mistake: aiosmtpd refuses what is left of it.
    return (match[1] + rest, True) if count == 1 else (arg, False)


def wish(header: bytes, *, requires: bool) -> str:
    """REQUIRED, WAIVED, or "" for a sender who wishes nothing.

    The field counts where it stands once and says No, and never against the parameter. (RFC 8689 §3, §4.1)
    """
    if requires:
        return REQUIRED
    values = _FIELD.findall(header)
    return WAIVED if len(values) == 1 and values[0].strip().lower() == b"no" else ""
