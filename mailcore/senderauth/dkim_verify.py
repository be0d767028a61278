"""Whether DKIM signatures hold: RFC 6376, with RFC 8301 (no SHA-1, no short keys) and RFC 8463. (pure)

verify() is a generator that yields questions for DNS (see questions.py). A body is made canonical and hashed
once per canonicalisation, however many signatures there are, and key objects are kept. A signature that
leaves part of the body unsigned (l=) is never a pass: anyone may have added that part (§8.2).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections import defaultdict
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from mailcore import limits
from mailcore.errors import MailError
from mailcore.senderauth.dkim import relaxed_body, relaxed_field
from mailcore.senderauth.questions import Outcome, Question, Steps

PublicKey = rsa.RSAPublicKey | ed25519.Ed25519PublicKey
Result = Literal["pass", "fail", "policy", "temperror", "permerror"]

_NEXT_FIELD = re.compile(rb"\r\n(?![ \t])")
_OWN_B = re.compile(rb"((?:\A|;)[ \t\r\n]*b[ \t\r\n]*=)[^;]*")
_WHITE = re.compile(r"[ \t\r\n]+")
_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_][A-Za-z0-9_-]{0,62})*\Z"
)
_NUMBER = re.compile(r"[0-9]{1,12}\Z")
_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")


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


class _Broken(Exception):
    """The signature or its key cannot be used; the text says why."""


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


@dataclass(frozen=True, slots=True)
class _Key:
    key: PublicKey
    is_testing: bool
    is_strict: bool


def verify(raw: bytes, *, now: int) -> Steps[list[Signature]]:
    """Judge the first DKIM_SIGNATURES signatures of raw, in the order they stand.

    raw has CRLF line ends; now is seconds since the epoch.
    """
    mail = _Mail(raw)
    claims: list[_Claim | Signature] = []
    for value in mail.values(b"dkim-signature")[: limits.DKIM_SIGNATURES]:
        try:
            claims.append(mail.judge_body(_read(value), now))
        except _Broken as error:
            claims.append(Signature("permerror", problem=str(error)))
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
            key = _key(next((text for text in records if "p=" in _WHITE.sub("", text)), ""))
            if isinstance(key.key, rsa.RSAPublicKey) != (verdict.algorithm == "rsa-sha256"):
                raise _Broken("the key is of another kind")
            if key.is_strict and verdict.identity.rpartition("@")[2] != verdict.domain:
                raise _Broken("the key is not for subdomains")
        except _Broken as error:
            return replace(verdict, result="permerror", problem=str(error))
        verdict = replace(verdict, is_testing=key.is_testing)
        if not _holds(key.key, claim.signature, self._signed(claim)):
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
                out.append(_canonical_field(*self.fields[name][left[name]], relaxed=claim.is_relaxed_header))
        own = next(name for name, value in self.fields[b"dkim-signature"] if value is claim.value)
        bare = _OWN_B.sub(rb"\1", claim.value, count=1)
        out.append(_canonical_field(own, bare, relaxed=claim.is_relaxed_header))
        return b"\r\n".join(out)


def simple_body(body: bytes) -> bytes:
    """The body as hashed by "simple": only empty lines at the end go; an empty one is CRLF. (§3.4.3)"""
    if not body.endswith(b"\r\n"):
        return body + b"\r\n"
    end = len(body)
    while body.endswith(b"\r\n\r\n", 0, end):
        end -= 2
    return body[:end]


def _canonical_field(name: bytes, value: bytes, *, relaxed: bool) -> bytes:
    return relaxed_field(name, value) if relaxed else name + b":" + value


def _holds(key: PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, hashlib.sha256(signed).digest())  # RFC 8463 §3
    except InvalidSignature:
        return False
    return True


# --- Tags (§3.2, §3.5, §3.6.1) ---------------------------------------------------------------------------


def _tags(text: str) -> dict[str, str]:
    tags: dict[str, str] = {}
    pieces = text.split(";")
    if not pieces[-1].strip(" \t\r\n"):
        pieces.pop()
    for piece in pieces:
        name, equals, value = piece.partition("=")
        name = name.strip(" \t\r\n")
        if not equals or not _TAG.match(name) or name in tags:
            raise _Broken("its tags cannot be read")
        tags[name] = value.strip(" \t\r\n")
    return tags


def _read(value: bytes) -> _Claim:
    if len(value) > limits.DKIM_SIGNATURE_OCTETS:
        raise _Broken("the signature field is too long")
    try:
        tags = _tags(value.decode("ascii"))
    except UnicodeDecodeError as error:
        raise _Broken("it is not ASCII") from error
    if missing := [name for name in ("v", "a", "b", "bh", "d", "h", "s") if not tags.get(name)]:
        raise _Broken(f"it has no {missing[0]}=")
    domain, selector = tags["d"].lower(), tags["s"].lower()
    names = tuple(name.strip(" \t\r\n").lower().encode() for name in tags["h"].split(":"))
    identity = _WHITE.sub("", tags.get("i", f"@{domain}")).lower()
    header, _, body = tags.get("c", "simple/simple").lower().partition("/")
    signed_at, expires = _number(tags, "t"), _number(tags, "x")
    at = identity.rpartition("@")[2]
    for is_bad, why in (
        (tags["v"] != "1", "its version is not 1"),
        (not _NAME.match(domain) or not _NAME.match(selector), "d= or s= is no name"),
        (tags["a"].lower() not in ("rsa-sha256", "ed25519-sha256"), "its algorithm is not used any more"),
        (b"from" not in names, "it does not sign From"),
        (len(names) > limits.DKIM_FIELDS, "it signs too many fields"),
        ("@" not in identity or (at != domain and not at.endswith(f".{domain}")), "i= is not within d="),
        ("dns/txt" not in _WHITE.sub("", tags.get("q", "dns/txt")).lower().split(":"), "q= is unknown"),
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
        _base64(tags["bh"]),
        _base64(tags["b"]),
        _number(tags, "l"),
        expires,
    )


def _number(tags: dict[str, str], name: str) -> int | None:
    if name not in tags:
        return None
    if not _NUMBER.match(tags[name]):
        raise _Broken(f"{name}= is no number")
    return int(tags[name])


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(_WHITE.sub("", text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _Broken("it is not base64") from error


@lru_cache(maxsize=1024)
def _key(text: str) -> _Key:
    """Read a key record. Loading one costs a tenth of a millisecond: they are kept."""
    if not text.isascii():
        raise _Broken("its key cannot be read")
    tags = _tags(text)
    if "p" not in tags:
        raise _Broken("there is no such key")
    if not tags["p"]:
        raise _Broken("its key was revoked")
    flags = [flag.strip().lower() for flag in tags.get("t", "").split(":")]
    if tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        raise _Broken("its key is of another version")
    if not _lists(tags, "h", "sha256") or not {"*", "email"} & set(_words(tags.get("s", "*"))):
        raise _Broken("its key is for something else")
    return _Key(_load(tags.get("k", "rsa").lower(), _base64(tags["p"])), "y" in flags, "s" in flags)


def _words(text: str) -> list[str]:
    return [word.strip(" \t\r\n").lower() for word in text.split(":")]


def _lists(tags: dict[str, str], name: str, wanted: str) -> bool:
    return name not in tags or wanted in _words(tags[name])


def _load(kind: str, octets: bytes) -> PublicKey:
    key: object
    try:
        if kind == "ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(octets)
        # §3.6.1 means the inner form, everybody writes the outer one; OpenSSL's loader reads both.
        key = serialization.load_der_public_key(octets)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise _Broken("its key cannot be read") from error
    if kind != "rsa" or not isinstance(key, rsa.RSAPublicKey):
        raise _Broken("its key is of an unknown kind")
    if not limits.DKIM_LEAST_BITS <= key.key_size <= limits.DKIM_MOST_BITS:
        raise _Broken(f"its key has {key.key_size} bits")
    return key
