"""Whether DKIM signatures hold: RFC 6376, with RFC 8301 (no SHA-1, no short keys) and RFC 8463. (pure)

verify() is a generator that yields questions for DNS (see questions.py). A body is made canonical and hashed
once per canonicalisation, however many signatures there are, and key objects are kept. A signature that
leaves part of the body unsigned (l=) is never a pass: anyone may have added that part (§8.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import rsa

from mailcore import limits
from mailcore.errors import MailError
from mailcore.senderauth.dkim_key import holds, public_key
from mailcore.senderauth.dkim_tags import NAME, WHITE, Broken, number, octets, read_tags
from mailcore.senderauth.questions import Outcome, Question, Steps
from mailcore.senderauth.signed import Field, Mail

Result = Literal["pass", "fail", "policy", "temperror", "permerror"]


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
    field: Field
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
    return (yield from judge(read(Mail(raw), now=now)))


@dataclass(frozen=True, slots=True)
class Claims:
    """The signatures of a mail, their bodies compared: all of the work that grows with its size."""

    mail: Mail
    claims: list[_Claim | Signature]


def read(mail: Mail, *, now: int) -> Claims:
    """Do what needs no key, for judge(). Costly for a big mail, so that callers may do it elsewhere."""
    claims: list[_Claim | Signature] = []
    for field in mail.of(b"dkim-signature")[: limits.DKIM_SIGNATURES]:
        try:
            claims.append(_judge_body(mail, _read(field), now))
        except Broken as error:
            claims.append(Signature("permerror", problem=str(error)))
    return Claims(mail, claims)


def judge(read_before: Claims) -> Steps[list[Signature]]:
    """Fetch the keys and check what was signed of the header."""
    mail, claims = read_before.mail, read_before.claims
    asked = list(dict.fromkeys(_question(claim) for claim in claims if isinstance(claim, _Claim)))
    outcomes = dict(zip(asked, (yield asked), strict=True)) if asked else {}
    return [
        _judge_header(mail, claim, outcomes[_question(claim)]) if isinstance(claim, _Claim) else claim
        for claim in claims
    ]


def _question(claim: _Claim) -> Question:
    return Question(f"{claim.verdict.selector}._domainkey.{claim.verdict.domain}", "TXT")


def _judge_body(mail: Mail, claim: _Claim, now: int) -> _Claim | Signature:
    """What needs no key (§6.1.3): a mail that was changed costs no lookup. Raises Broken."""
    verdict = claim.verdict
    if claim.expires is not None and claim.expires < now:
        return replace(verdict, result="fail", problem="expired")
    octets_ = mail.body_octets(relaxed=claim.is_relaxed_body) if claim.length is not None else 0
    if claim.length is not None and claim.length > octets_:
        return replace(verdict, result="fail", problem="the body is shorter than l=")
    try:
        found = mail.body_hash(relaxed=claim.is_relaxed_body, length=claim.length)
    except Broken as error:
        return replace(verdict, result="permerror", problem=str(error))
    if found != claim.body_hash:
        return replace(verdict, result="fail", problem="the body was changed")
    beyond = octets_ - claim.length if claim.length is not None else 0
    return replace(claim, verdict=replace(verdict, unsigned_octets=beyond))


def _judge_header(mail: Mail, claim: _Claim, outcome: Outcome) -> Signature:
    verdict = claim.verdict
    if isinstance(outcome, MailError) and outcome.retry:
        return replace(verdict, result="temperror", problem="no answer about the key")
    records = [] if isinstance(outcome, MailError) else outcome
    try:
        key = public_key(records)
        if isinstance(key.key, rsa.RSAPublicKey) != (verdict.algorithm == "rsa-sha256"):
            raise Broken("the key is of another kind")
        if key.is_strict and verdict.identity.rpartition("@")[2] != verdict.domain:
            raise Broken("the key is not for subdomains")
    except Broken as error:
        return replace(verdict, result="permerror", problem=str(error))
    verdict = replace(verdict, is_testing=key.is_testing)
    signed = mail.signed(claim.names, claim.field, relaxed=claim.is_relaxed_header)
    if not holds(key.key, claim.signature, signed):
        return replace(verdict, result="fail", problem="the header was changed")
    if verdict.unsigned_octets:
        return replace(verdict, result="policy", problem="part of the body is not signed")
    return replace(verdict, result="pass")


# --- Reading a field (§3.5) --------------------------------------------------------------------------------


def _read(field: Field) -> _Claim:
    value = field[1]
    if len(value) > limits.DKIM_SIGNATURE_OCTETS:
        raise Broken("the signature field is too long")
    try:
        tags = read_tags(value.decode("ascii"))
    except UnicodeDecodeError as error:
        raise Broken("it is not ASCII") from error
    if missing := [name for name in ("v", "a", "b", "bh", "d", "h", "s") if not tags.get(name)]:
        raise Broken(f"it has no {missing[0]}=")
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
            raise Broken(why)
    return _Claim(
        Signature("fail", domain, selector, identity, tags["a"].lower()),
        field,
        names,
        header == "relaxed",
        body == "relaxed",
        octets(tags["bh"]),
        octets(tags["b"]),
        number(tags, "l"),
        expires,
    )
