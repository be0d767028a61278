"""What handled a mail before us, and what it found, under seal: ARC, RFC 8617. (pure)

verify() is a generator that yields questions for DNS (see questions.py). seal() makes the three fields of a
set of our own, for mail that we pass on. A chain that holds says who passed the mail on, and that nobody
changed what they said; whether to believe them is another question.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cryptography.hazmat.primitives.asymmetric import rsa

from mailcore import limits
from mailcore.errors import BadHeader, MailError
from mailcore.senderauth import dkim
from mailcore.senderauth.dkim import PrivateKey, relaxed_field
from mailcore.senderauth.dkim_key import holds, public_key
from mailcore.senderauth.dkim_tags import NAME, Broken, number, octets, read_tags
from mailcore.senderauth.questions import Outcome, Question, Steps
from mailcore.senderauth.signed import Field, Mail, without_b

Result = Literal["none", "pass", "fail", "temperror"]
Outcomes = Mapping[Question, Outcome]

RESULTS, SIGNATURE, SEAL = b"arc-authentication-results", b"arc-message-signature", b"arc-seal"
_CV_FAIL = re.compile(rb"(?:\A|;)[ \t\r\n]*cv[ \t\r\n]*=[ \t\r\n]*fail[ \t\r\n]*(?:;|\Z)")
_RESULTS_INSTANCE = re.compile(rb"[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([0-9]{1,3})[ \t\r\n]*;")
_INSTANCE = re.compile(r"[1-9][0-9]?\Z")
# Quoted values and comments hold what strangers said of themselves.
_BESIDE = re.compile(r'"(?:[^"\\]|\\.)*+"?|\((?:[^()\\]|\\.)*+\)?')
_DMARC_PASS = re.compile(r"; ?dmarc ?= ?pass\b", re.IGNORECASE)
_ALGORITHMS = ("rsa-sha256", "ed25519-sha256")


@dataclass(frozen=True, slots=True)
class ARC:
    """What came of the chain of one mail.

    instances is how many sets it has; sealers are the domains that sealed them and results what each of them
    said of the mail (the text of its ARC-Authentication-Results behind the instance), both oldest first and
    only filled for "pass". oldest_pass is the instance since which nobody changed the mail, 0 for never
    (§5.2). is_ended: a sealer said cv=fail, and no set may follow. "temperror": DNS could not tell.
    """

    result: Result
    instances: int = 0
    sealers: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    oldest_pass: int = 0
    is_ended: bool = False
    problem: str = ""


NO_CHAIN = ARC("none")


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the two signed fields of a set, its tags read."""

    name: bytes
    value: bytes
    tags: dict[str, str]

    @property
    def question(self) -> Question:
        return Question(f"{self.tags['s'].lower()}._domainkey.{self.tags['d'].lower()}", "TXT")


@dataclass(frozen=True, slots=True)
class _Set:
    results: Field
    signature: _Field
    seal: _Field


class _CannotTell(Exception):
    pass


def verify(raw: bytes) -> Steps[ARC]:
    """Judge the chain of raw, which has CRLF line ends. (§5.2)"""
    return (yield from judge(read(Mail(raw))))


@dataclass(frozen=True, slots=True)
class Chain:
    """The sets of a mail, oldest first, its body compared: all of the work that grows with its size.

    verdict is set where nothing more is needed. unchanged_since is the oldest instance from which on all
    signatures were made for this body.
    """

    mail: Mail
    sets: tuple[_Set, ...] = ()
    unchanged_since: int = 0
    verdict: ARC | None = None


def read(mail: Mail) -> Chain:
    """Do what needs no key, for judge(). (§5.2, 1-3, and the bodies of 4 and 5)"""
    count = max(len(mail.of(name)) for name in (RESULTS, SIGNATURE, SEAL))
    if not count:
        return Chain(mail, verdict=NO_CHAIN)
    try:
        sets = _sets(mail, count)
        _check_body(mail, sets[-1].signature)
    except Broken as error:
        return Chain(mail, verdict=ARC("fail", count, is_ended=_is_ended(mail), problem=str(error)))
    since = count
    for each in reversed(sets[:-1]):
        try:
            _check_body(mail, each.signature)
        except Broken:
            break
        since -= 1
    return Chain(mail, sets, since)


def judge(chain: Chain) -> Steps[ARC]:
    """Fetch the keys and check signatures and seals. (§5.2, 4-6)"""
    mail, sets, count = chain.mail, chain.sets, len(chain.sets)
    if chain.verdict is not None:
        return chain.verdict
    asked = list(dict.fromkeys(one.question for each in sets for one in (each.signature, each.seal)))
    outcomes = dict(zip(asked, (yield asked), strict=True))
    try:
        _check_signature(mail, sets[-1].signature, outcomes)
        _check_seals(sets, outcomes)
    except Broken as error:
        return ARC("fail", count, problem=str(error))
    except _CannotTell:
        return ARC("temperror", count, problem="no answer about a key")
    return ARC(
        "pass",
        count,
        tuple(each.seal.tags["d"].lower() for each in sets),
        tuple(_text(each.results[1]) for each in sets),
        _oldest_pass(chain, outcomes),
    )


def is_vouched_for(chain: ARC, trusted: Collection[str]) -> bool:
    """Whether a mail passed DMARC where its chain began, and only trusted sealers had it since. (§7.2.1)

    trusted are domains in lower case. One sealer who is not would be enough to have made all of it up.
    """
    return (
        chain.result == "pass"
        and all(sealer in trusted for sealer in chain.sealers)
        and _DMARC_PASS.search(_BESIDE.sub("", chain.results[0])) is not None
    )


def _sets(mail: Mail, count: int) -> tuple[_Set, ...]:
    """The sets, oldest first. Raises Broken unless they are whole and numbered 1 to count."""
    if count > limits.ARC_SETS:
        raise Broken("there are too many sets")
    results: dict[int, Field] = {}
    for name, value in mail.of(RESULTS):
        match = _RESULTS_INSTANCE.match(value)
        if not match:
            raise Broken("results without an instance")
        results[int(match[1])] = name, value
    signatures = _numbered(mail, SIGNATURE)
    seals = _numbered(mail, SEAL)
    wanted = range(1, count + 1)
    if not set(wanted) == set(results) == set(signatures) == set(seals):
        raise Broken("a set is not whole")
    for instance in wanted:
        cv = seals[instance].tags.get("cv", "")
        if cv != ("none" if instance == 1 else "pass"):
            raise Broken(f"set {instance} says cv={cv[:10]}")
    return tuple(_Set(results[each], signatures[each], seals[each]) for each in wanted)


def _numbered(mail: Mail, name: bytes) -> dict[int, _Field]:
    found: dict[int, _Field] = {}
    for field in mail.of(name):
        read_field = _read(field, is_seal=name == SEAL)
        found[int(read_field.tags["i"])] = read_field
    return found


def _is_ended(mail: Mail) -> bool:
    """Whether a seal says that the chain failed before: it cannot be mended. (§5.1)"""
    return any(_CV_FAIL.search(value) for _, value in mail.of(SEAL))


def _check_body(mail: Mail, signature: _Field) -> None:
    """Raises Broken when the body is not the one that was signed."""
    _, body = _canonicalisation(signature)
    if mail.body_hash(relaxed=body == "relaxed") != octets(signature.tags["bh"]):
        raise Broken("the body was changed")


def _canonicalisation(signature: _Field) -> tuple[str, str]:
    # DKIM's default is simple/simple; the public vectors, and what seals by them, mean relaxed.
    header, _, body = signature.tags.get("c", "relaxed/relaxed").partition("/")
    if header not in ("simple", "relaxed") or body not in ("", "simple", "relaxed"):
        raise Broken("c= is unknown")
    return header, body


def _check_signature(mail: Mail, signature: _Field, outcomes: Outcomes) -> None:
    """Raises Broken when the header is not the one that was signed."""
    header, _ = _canonicalisation(signature)
    names = [name.strip(" \t\r\n").lower().encode() for name in signature.tags["h"].split(":")]
    if SEAL in names:
        raise Broken("a seal is among the signed fields")
    if len(names) > limits.DKIM_FIELDS:
        raise Broken("it signs too many fields")
    signed = mail.signed(names, (signature.name, signature.value), relaxed=header == "relaxed")
    _check(signature, signed, outcomes, "the header was changed")


def _oldest_pass(chain: Chain, outcomes: Outcomes) -> int:
    """The oldest instance from which on all signatures hold, 0 for all of them; the newest does. (§5.2, 5)"""
    oldest = len(chain.sets)
    for each in reversed(chain.sets[chain.unchanged_since - 1 : -1]):
        try:
            _check_signature(chain.mail, each.signature, outcomes)
        except (Broken, _CannotTell):
            break
        oldest -= 1
    return oldest if oldest > 1 else 0


def _check_seals(sets: Sequence[_Set], outcomes: Outcomes) -> None:
    """Raises Broken when a seal does not hold: each covers all sets up to its own. (§5.1.1, §5.2, 6)"""
    lines: list[bytes] = []
    for each in sets:
        lines += [relaxed_field(*each.results), relaxed_field(each.signature.name, each.signature.value)]
        sealed = b"\r\n".join([*lines, relaxed_field(each.seal.name, without_b(each.seal.value))])
        _check(each.seal, sealed, outcomes, f"the seal of {each.seal.tags['d'][:100]} does not hold")
        lines.append(relaxed_field(each.seal.name, each.seal.value))


def _check(field: _Field, signed: bytes, outcomes: Outcomes, problem: str) -> None:
    outcome = outcomes[field.question]
    if isinstance(outcome, MailError) and outcome.retry:
        raise _CannotTell
    records = [] if isinstance(outcome, MailError) else outcome
    key = public_key(records).key
    if isinstance(key, rsa.RSAPublicKey) != (field.tags["a"] == "rsa-sha256"):
        raise Broken("the key is of another kind")
    if not holds(key, octets(field.tags["b"]), signed):
        raise Broken(problem)


def _read(field: Field, *, is_seal: bool) -> _Field:
    name, value = field
    if len(value) > limits.DKIM_SIGNATURE_OCTETS:
        raise Broken("a field is too long")
    try:
        tags = read_tags(value.decode("ascii"))
    except UnicodeDecodeError as error:
        raise Broken("it is not ASCII") from error
    needed = ("i", "a", "b", "d", "s", "cv") if is_seal else ("i", "a", "b", "bh", "d", "s")
    number(tags, "t")
    for is_bad, why in (
        (any(not tags.get(tag) for tag in needed), "a tag is missing"),
        (not _INSTANCE.match(tags.get("i", "")), "i= is no instance"),
        (tags.get("a") not in _ALGORITHMS, "its algorithm is not used any more"),
        (not NAME.match(tags.get("d", "")) or not NAME.match(tags.get("s", "")), "d= or s= is no name"),
        (is_seal and "h" in tags, "a seal has no h="),
        (not is_seal and "h" not in tags, "it has no h="),
    ):
        if is_bad:
            raise Broken(why)
    octets(tags["b"])
    return _Field(name, value, tags)


def _text(value: bytes) -> str:
    return " ".join(value.partition(b";")[2].decode("ascii", "replace").split())


# --- Sealing (§5.1) ----------------------------------------------------------------------------------------


def seal(
    raw: bytes, chain: ARC, *, results: bytes, domain: str, selector: str, key: PrivateKey, timestamp: int
) -> bytes:
    """The three fields of our set, each with its CRLF, to be put in front of raw.

    raw is the mail as it leaves, with CRLF line ends; chain is what verify() said of it as it came. results
    is the value of our Authentication-Results for it: "mx.example.org; spf=pass ...". Empty where no set may
    be added: the chain had ended or is full, or could not be judged. Raises BadHeader as dkim.sign() does.
    """
    instance = chain.instances + 1
    if chain.is_ended or chain.result == "temperror" or instance > limits.ARC_SETS:
        return b""
    cv = {"none": b"none", "pass": b"pass"}.get(chain.result, b"fail")
    aar = b"ARC-Authentication-Results: i=%d; " % instance + results.strip(b" \t\r\n")
    who = [b"d=%b; " % domain.encode("ascii"), b"s=%b; " % selector.encode("ascii"), b"t=%d; " % timestamp]
    algorithm = b"rsa-sha256" if isinstance(key, rsa.RSAPrivateKey) else b"ed25519-sha256"
    first = [b"i=%d; " % instance, b"a=%b; " % algorithm]

    header, _ = dkim.split(raw)
    names, lines = dkim.to_sign(header, also=(b"dkim-signature",))
    if len(names) > limits.DKIM_FIELDS:
        raise BadHeader("Too many header fields to sign")
    mail = Mail(raw)
    body_hash = base64.b64encode(mail.body_hash(relaxed=True))
    listed = [b"h=" + names[0], *(b":" + name for name in names[1:]), b"; "]
    ams = _signed(
        b"ARC-Message-Signature",
        [*first, b"c=relaxed/relaxed; ", *who, *listed, b"bh=%b;" % body_hash],
        lines,
        key,
    )
    before = [] if cv == b"fail" else _sets_before(mail, chain.instances)  # §5.1.2: then only our own set
    own = [_relaxed(aar), _relaxed(ams)]
    ars = _signed(b"ARC-Seal", [*first, b"cv=%b; " % cv, *who[:2], who[2].rstrip(b" ")], [*before, *own], key)
    return b"".join(field + b"\r\n" for field in (ars, ams, aar))


def _signed(name: bytes, tokens: list[bytes], lines: Sequence[bytes], key: PrivateKey) -> bytes:
    field = name + b": " + dkim.fold(tokens, len(name) + 2) + b"\r\n b="
    value = base64.b64encode(dkim.signature(key, b"\r\n".join([*lines, _relaxed(field)])))
    return field + b"\r\n ".join(value[start : start + 70] for start in range(0, len(value), 70))


def _relaxed(field: bytes) -> bytes:
    name, _, value = field.partition(b":")
    return relaxed_field(name, value)


def _sets_before(mail: Mail, count: int) -> list[bytes]:
    return [
        relaxed_field(name, value)
        for each in (_sets(mail, count) if count else ())
        for name, value in (
            each.results,
            (each.signature.name, each.signature.value),
            (each.seal.name, each.seal.value),
        )
    ]
