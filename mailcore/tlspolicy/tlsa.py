"""TLSA records, and whether they name a chain of certificates. RFC 6698, RFC 7671, RFC 7672. (pure)

The key exchange itself proves that the host has the key of its certificate; that is OpenSSL's work.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from mailcore import limits

TRUST_ANCHOR, END_ENTITY = 2, 3
_OCTETS = {1: 32, 2: 64}
_DIGEST = {1: "sha256", 2: "sha512"}
_TEXT = re.compile(r"([0-9]{1,3}) ([0-9]{1,3}) ([0-9]{1,3}) ([0-9A-Fa-f ]+)")


@dataclass(frozen=True, slots=True)
class TLSA:
    """One record. (RFC 6698 §2.1)"""

    usage: int
    selector: int
    matching: int
    data: bytes

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.matching} {self.data.hex()}"

    @property
    def is_usable(self) -> bool:
        """Whether a mail host can be judged by it: usages 0 and 1 are none for SMTP. (RFC 7672 §3.1.3)"""
        return (
            self.usage in (TRUST_ANCHOR, END_ENTITY)
            and self.selector in (0, 1)
            and self.matching in (0, 1, 2)
            and len(self.data) == _OCTETS.get(self.matching, len(self.data))
            and bool(self.data)
        )

    def names(self, certificate: x509.Certificate) -> bool:
        """Whether it names that certificate, or its key."""
        if self.selector == 0:
            octets = certificate.public_bytes(Encoding.DER)
        else:
            octets = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if self.matching:
            octets = hashlib.new(_DIGEST[self.matching], octets).digest()
        return hmac.compare_digest(octets, self.data)


def parse(text: str) -> TLSA | None:
    """Read one record as DNS shows it; None for what is none."""
    match = _TEXT.fullmatch(text)
    if match is None:
        return None
    digits = match[4].replace(" ", "")
    usage, selector, matching = (int(number) for number in match.groups()[:3])
    if len(digits) % 2 or max(usage, selector, matching) > 255:
        return None
    return TLSA(usage, selector, matching, bytes.fromhex(digits))


def objection(chain: Sequence[bytes], records: Sequence[TLSA], names: Sequence[str], now: dt.datetime) -> str:
    """Say why a chain (DER, the host's own first) is not what usable records name; "" if it is.

    names are those that the host may go by where a record names an authority (RFC 7672 §3.2.2); for a record
    that names the host's own certificate neither its names nor its dates count (RFC 7672 §3.1.1).
    """
    try:
        certificates = [x509.load_der_x509_certificate(der) for der in chain[: limits.TLS_CHAIN]]
        if not certificates:
            return "the host showed no certificate"
        own, *others = certificates
        usable = [record for record in records if record.is_usable]
        if any(record.names(own) for record in usable if record.usage == END_ENTITY):
            return ""
        anchors = list(_anchors([record for record in usable if record.usage == TRUST_ANCHOR], others))
    except ValueError:
        return "the host's certificate cannot be read"
    if not anchors:
        return "no TLSA record names the host's certificate"
    if any(_is_signed(own, others, anchor, name, now) for anchor in anchors for name in names):
        return ""
    return f"the authority that the TLSA records name has not signed for {' or '.join(names)}"


def _anchors(records: Sequence[TLSA], others: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The authorities that records name: among those shown, or whole in the record (2 0 0)."""
    shown = [other for other in others if any(record.names(other) for record in records)]
    whole = [record.data for record in records if (record.selector, record.matching) == (0, 0)]
    return [*shown, *map(x509.load_der_x509_certificate, whole)]


# What browsers ask of certificates beyond chain, name and dates, mail hosts have never had to have.
_EXTENSIONS = {
    "ca_policy": ExtensionPolicy.permit_all().require_present(
        x509.BasicConstraints, Criticality.AGNOSTIC, None
    ),
    "ee_policy": ExtensionPolicy.permit_all().require_present(
        x509.SubjectAlternativeName, Criticality.AGNOSTIC, None
    ),
}


def _is_signed(
    own: x509.Certificate,
    others: Sequence[x509.Certificate],
    anchor: x509.Certificate,
    name: str,
    now: dt.datetime,
) -> bool:
    try:
        policy = PolicyBuilder().store(Store([anchor])).time(now).extension_policies(**_EXTENSIONS)
        policy.build_server_verifier(x509.DNSName(name)).verify(own, list(others))
    except (VerificationError, ValueError):
        return False
    return True
