"""MTA-STS: the record that says there is a policy, the policy, and the hosts it allows. RFC 8461. (pure)

Fetching and keeping policies is services/outbound/sts_policies.py's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from mailcore import limits


class Mode(StrEnum):
    """What to do where the policy is not met. (RFC 8461 §5)"""

    NONE = "none"
    TESTING = "testing"
    ENFORCE = "enforce"


class Broken(Exception):
    """The policy is none; the text says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as it was read. mx are patterns in lower case; max_age in seconds."""

    mode: Mode
    max_age: int
    mx: tuple[str, ...]

    def allows(self, host: str) -> bool:
        """Whether a mail host is one of those that the policy names. (RFC 8461 §4.1)"""
        host = host.rstrip(".").lower()
        # A wildcard stands for the leftmost label, and for exactly one (RFC 6125 §6.4.3).
        wild = "*." + host.partition(".")[2]
        return any(pattern in (host, wild) for pattern in self.mx)

    @property
    def text(self) -> str:
        """The policy as a file: CRLF line ends. parse_policy(policy.text) == policy."""
        lines = ["version: STSv1", f"mode: {self.mode}"]
        lines += [f"mx: {pattern}" for pattern in self.mx]
        return "".join(f"{line}\r\n" for line in [*lines, f"max_age: {self.max_age}"])


_RECORD = re.compile(r"v=STSv1(?=[ \t]*;)")
_FIELD = re.compile(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,31})=([\x21-\x3a\x3c\x3e-\x7e]+)")
_ID = re.compile(r"[A-Za-z0-9]{1,32}")


def record_id(texts: Sequence[str]) -> str:
    """The id of the policy that the TXT records of _mta-sts.DOMAIN announce; "" for none. (RFC 8461 §3.1)

    Several such records, and one that breaks the grammar, are none.
    """
    records = [text for text in texts if _RECORD.match(text)]
    if len(records) != 1:
        return ""
    _version, *fields = [field.strip(" \t") for field in records[0].split(";")]
    if fields and not fields[-1]:
        fields.pop()  # the delimiter may end it
    found = ""
    for field in fields:
        match = _FIELD.fullmatch(field)
        if match is None:
            return ""
        if match[1] == "id":
            if found or not _ID.fullmatch(match[2]):
                return ""
            found = match[2]
    return found


_LABEL = r"(?:[a-z0-9_]|[a-z0-9_][a-z0-9_-]{0,61}[a-z0-9])"
_PATTERN = re.compile(rf"(?=.{{1,253}}\Z)(?:\*\.)?{_LABEL}(?:\.{_LABEL})*")


def parse_policy(text: str) -> Policy:
    """Read a policy file. Raises Broken. (RFC 8461 §3.2)

    What is not known is passed over; of a field that may stand once the first counts.
    """
    if len(text) > limits.STS_POLICY_OCTETS:
        raise Broken("the policy is too long")
    first: dict[str, str] = {}
    patterns: list[str] = []
    for line in re.split(r"\r?\n", text):
        name, colon, value = (part.strip(" \t") for part in line.partition(":"))
        if not colon:
            if line.strip(" \t"):
                raise Broken("a line of the policy is no field")
        elif name == "mx":
            patterns.append(value.rstrip(".").lower())
        else:
            first.setdefault(name, value)
    if first.get("version") != "STSv1":
        raise Broken("the policy is not of version STSv1")
    if first.get("mode") not in list(Mode):
        raise Broken("the policy has no mode that we know")
    if not re.fullmatch("[0-9]{1,10}", first.get("max_age", "")):
        raise Broken("the policy has no max_age")
    mode = Mode(first["mode"])
    if len(patterns) > limits.STS_PATTERNS:
        raise Broken("the policy names too many hosts")
    if not all(_PATTERN.fullmatch(pattern) for pattern in patterns):
        raise Broken("a host of the policy is none")
    if mode != Mode.NONE and not patterns:
        raise Broken("the policy names no host")
    max_age = min(int(first["max_age"]), limits.STS_MAX_AGE_SECONDS)
    return Policy(mode, max_age, tuple(dict.fromkeys(patterns)))
