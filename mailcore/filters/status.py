"""The fields that tell other programs what was decided, in the words that SpamAssassin made common. (pure)"""

from __future__ import annotations

import re

from mailcore.filters.spam import Action, Decision

_PREFIX = "x-spam-"
_UNFIT = re.compile(r"[^A-Za-z0-9_.-]")


def is_ours(name: str) -> bool:
    """Whether a field of that lower-case name could be taken for one of ours, and so must not come in."""
    return name.startswith(_PREFIX)


def fields(decision: Decision) -> bytes:
    """X-Spam-Status, and X-Spam-Flag for what is junk, each with its CRLF; no line over 78 octets."""
    is_junk = decision.action > Action.INBOX
    score, required = decision.score, decision.thresholds.junk
    lines = [f"X-Spam-Status: {'Yes' if is_junk else 'No'}, score={score:.1f} required={required:.1f}"]
    tests = [f"{_UNFIT.sub('?', reason.name)}={reason.points:g}" for reason in decision.reasons] or ["none"]
    line = "\ttests=" + tests[0]
    for test in tests[1:]:
        if len(line) + len(test) > 75:
            lines.append(line + ",")
            line = "\t" + test
        else:
            line += "," + test
    lines.append(line)
    text = "\r\n".join(lines) + "\r\n"
    return (text + "X-Spam-Flag: YES\r\n" if is_junk else text).encode("ascii")
