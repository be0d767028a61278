"""Whether DKIM signatures hold: RFC 6376, with RFC 8301 (no SHA-1, no short keys) and RFC 8463. (pure)

verify() is a generator that yields questions for DNS (see questions.py). A body is made canonical and hashed
once per canonicalisation, however many signatures there are, and key objects are kept. A signature that
leaves part of the body unsigned (l=) is never a pass: anyone may have added that part (§8.2).
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import rsa

from mailcore import limits
from mailcore.errors import MailError
from mailcore.senderauth.dkim import relaxed_body, relaxed_field
from mailcore.senderauth.dkim_key import holds, public_key
from mailcore.senderauth.dkim_tags import NAME, OWN_B, WHITE, number, octets, read_tags
from mailcore.senderauth.dkim_tags import Broken as _Broken
from mailcore.senderauth.questions import Outcome, Question, Steps

Result = Literal["pass", "fail", "policy", "temperror", "permerror"]

_NEXT_FIELD = re.compile(rb"\r\n(?![ \t])")


@dataclass(frozen=True, slots=True)
class Signature:
    """What came of one DKIM-Signature field; its names as RFC 8601 §2.7.1 reports them.

    Results are those of RFC 8601, where "policy" is a good signature that does not cover the whole body.
    is_testing: the domain says not to treat its mail differently when a signature fails (t=y).
    unsigned_octets is how much of the body as hashed stands beyond l=.
    """

    result: Result
    domain: str = ""
    selector: str = ""
    identity: str = ""
    algorithm: str = ""
    is_testing: bool = False
    unsigned_octets: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Claim:
    """A DKIM-Signature field, read."""

    verdict: Signature
    value: bytes
    names: tuple[bytes, ...]
    is_relaxed_header: bool
    is_relaxed_body: bool
    body_hash: bytes
    signature: bytes
    length: int | None
    expires: int | None


def verify(raw: bytes, *, now: int) -> Steps[list[Signature]]:
    """Judge the first DKIM_SIGNATURES signatures of raw, in the order they stand.

    raw has CRLF line ends; now is seconds since the epoch.
    """
    return (yield from judge(read(raw, now=now)))


@dataclass(frozen=True, slots=True)
class Claims:
    """The signatures of a mail, their bodies compared: all of the work that grows with its size."""

    mail: _Mail
    claims: list[_Claim | Signature]


def read(raw: bytes, *, now: int) -> Claims:
    """Do what needs no key, for judge(). Costly for a big mail, so that callers may do it elsewhere."""
    mail = _Mail(raw)
    claims: list[_Claim | Signature] = []
    for value in mail.values(b"dkim-signature")[: limits.DKIM_SIGNATURES]:
        try:
            claims.append(mail.judge_body(_read(value), now))
        except _Broken as error:
            claims.append(Signature("permerror", problem=str(error)))
    return Claims(mail, claims)


def judge(read_before: Claims) -> Steps[list[Signature]]:
    """Fetch the keys and check what was signed of the header."""
    mail, claims = read_before.mail, read_before.claims
    asked = list(dict.fromkeys(_question(claim) for claim in claims if isinstance(claim, _Claim)))
    outcomes = dict(zip(asked, (yield asked), strict=True)) if asked else {}
    return [
        mail.judge_header(claim, outcomes[_question(claim)]) if isinstance(claim, _Claim) else claim
        for claim in claims
    ]


def _question(claim: _Claim) -> Question:
    return Question(f"{claim.verdict.selector}._domainkey.{claim.verdict.domain}", "TXT")


class _Mail:
    """A message as signatures see it."""

    def __init__(self, raw: bytes) -> None:
        header, _, self.body = (b"", b"", raw[2:]) if raw.startswith(b"\r\n") else raw.partition(b"\r\n\r\n")
        self.fields: dict[bytes, list[tuple[bytes, bytes]]] = defaultdict(list)
        for line in _NEXT_FIELD.split(header.removesuffix(b"\r\n")):
            name, colon, value = line.partition(b":")
            if colon:
                self.fields[name.rstrip(b" \t").lower()].append((name, value))
        self._bodies: dict[bool, bytes] = {}
        self._hashes: dict[tuple[bool, int | None], bytes] = {}

    def values(self, name: bytes) -> list[bytes]:
        return [value for _, value in self.fields.get(name, [])]

    def judge_body(self, claim: _Claim, now: int) -> _Claim | Signature:
        """What needs no key (§6.1.3): a mail that was changed costs no lookup."""
        verdict = claim.verdict
        if claim.expires is not None and claim.expires < now:
            return replace(verdict, result="fail", problem="expired")
        body = self._canonical(relaxed=claim.is_relaxed_body)
        if claim.length is not None and claim.length > len(body):
            return replace(verdict, result="fail", problem="the body is shorter than l=")
        kind = claim.is_relaxed_body, claim.length
        if kind not in self._hashes:
            if len(self._hashes) >= limits.DKIM_BODY_HASHES:
                return replace(verdict, result="permerror", problem="too many different l=")
            view = memoryview(body)[: claim.length]
            self._hashes[kind] = hashlib.sha256(view).digest()
        if self._hashes[kind] != claim.body_hash:
            return replace(verdict, result="fail", problem="the body was changed")
        beyond = len(body) - claim.length if claim.length is not None else 0
        return replace(claim, verdict=replace(verdict, unsigned_octets=beyond))

    def _canonical(self, *, relaxed: bool) -> bytes:
        if relaxed not in self._bodies:
            self._bodies[relaxed] = relaxed_body(self.body) if relaxed else simple_body(self.body)
        return self._bodies[relaxed]

    def judge_header(self, claim: _Claim, outcome: Outcome) -> Signature:
        verdict = claim.verdict
        if isinstance(outcome, MailError) and outcome.retry:
            return replace(verdict, result="temperror", problem="no answer about the key")
        records = [] if isinstance(outcome, MailError) else outcome
        try:
            key = public_key(records)
            if isinstance(key.key, rsa.RSAPublicKey) != (verdict.algorithm == "rsa-sha256"):
                raise _Broken("the key is of another kind")
            if key.is_strict and verdict.identity.rpartition("@")[2] != verdict.domain:
                raise _Broken("the key is not for subdomains")
        except _Broken as error:
            return replace(verdict, result="permerror", problem=str(error))
        verdict = replace(verdict, is_testing=key.is_testing)
        if not holds(key.key, claim.signature, self._signed(claim)):
            return replace(verdict, result="fail", problem="the header was changed")
        if verdict.unsigned_octets:
            return replace(verdict, result="policy", problem="part of the body is not signed")
        return replace(verdict, result="pass")

    def _signed(self, claim: _Claim) -> bytes:
        """The octets of §3.7: named fields from the bottom up (§5.4.2), then the signature without its b=."""
        left = {name: len(self.fields.get(name, ())) for name in claim.names}
        out = []
        for name in claim.names:
            if left[name]:
                left[name] -= 1
                out.append(canonical_field(*self.fields[name][left[name]], relaxed=claim.is_relaxed_header))
        own = next(name for name, value in self.fields[b"dkim-signature"] if value is claim.value)
        bare = OWN_B.sub(rb"\1", claim.value, count=1)
        out.append(canonical_field(own, bare, relaxed=claim.is_relaxed_header))
        return b"\r\n".join(out)


def simple_body(body: bytes) -> bytes:
    """The body as hashed by "simple": only empty lines at the end go; an empty one is CRLF. (§3.4.3)"""
    if not body.endswith(b"\r\n"):
        return body + b"\r\n"
    end = len(body)
    while body.endswith(b"\r\n\r\n", 0, end):
        end -= 2
    return body[:end]


def canonical_field(name: bytes, value: bytes, *, relaxed: bool) -> bytes:
    return relaxed_field(name, value) if relaxed else name + b":" + value


# --- Reading a field (§3.5) --------------------------------------------------------------------------------


def _read(value: bytes) -> _Claim:
    if len(value) > limits.DKIM_SIGNATURE_OCTETS:
        raise _Broken("the signature field is too long")
    try:
        tags = read_tags(value.decode("ascii"))
    except UnicodeDecodeError as error:
        raise _Broken("it is not ASCII") from error
    if missing := [name for name in ("v", "a", "b", "bh", "d", "h", "s") if not tags.get(name)]:
        raise _Broken(f"it has no {missing[0]}=")
    domain, selector = tags["d"].lower(), tags["s"].lower()
    names = tuple(name.strip(" \t\r\n").lower().encode() for name in tags["h"].split(":"))
    identity = WHITE.sub("", tags.get("i", f"@{domain}")).lower()
    header, _, body = tags.get("c", "simple/simple").lower().partition("/")
    signed_at, expires = number(tags, "t"), number(tags, "x")
    at = identity.rpartition("@")[2]
    for is_bad, why in (
        (tags["v"] != "1", "its version is not 1"),
        (not NAME.match(domain) or not NAME.match(selector), "d= or s= is no name"),
        (tags["a"].lower() not in ("rsa-sha256", "ed25519-sha256"), "its algorithm is not used any more"),
        (b"from" not in names, "it does not sign From"),
        (len(names) > limits.DKIM_FIELDS, "it signs too many fields"),
        ("@" not in identity or (at != domain and not at.endswith(f".{domain}")), "i= is not within d="),
        ("dns/txt" not in WHITE.sub("", tags.get("q", "dns/txt")).lower().split(":"), "q= is unknown"),
        (header not in ("simple", "relaxed") or body not in ("", "simple", "relaxed"), "c= is unknown"),
        (signed_at is not None and expires is not None and expires <= signed_at, "it ends before it begins"),
    ):
        if is_bad:
            raise _Broken(why)
    return _Claim(
        Signature("fail", domain, selector, identity, tags["a"].lower()),
        value,
        names,
        header == "relaxed",
        body == "relaxed",
        octets(tags["bh"]),
        octets(tags["b"]),
        number(tags, "l"),
        expires,
    )
