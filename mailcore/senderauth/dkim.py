"""DKIM signatures for mail that leaves us: RFC 6376, with RFC 8301 (no SHA-1) and RFC 8463 (Ed25519).

Owns the two relaxed canonicalisations, the choice of what is signed, and the form of keys. Called by
services/outbound (sign) and services/domains (generate_key, public_record). Everything is linear in the
octets of the message. We never write l=: a body that can be appended to is not signed.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from mailcore import limits
from mailcore.errors import BadHeader

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
Algorithm = Literal["rsa", "ed25519"]

# Signed once more than they occur, so that nobody can add one (RFC 6376 §5.4 and §8.15).
OVERSIGNED = (
    b"from",
    b"reply-to",
    b"to",
    b"cc",
    b"subject",
    b"date",
    b"message-id",
    b"in-reply-to",
    b"references",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
)
# Signed where they occur. Lists and resenders add these lawfully, so their absence is not signed.
# RFC 8058 §4 wants the List-Unsubscribe pair covered.
SIGNED = (
    b"sender",
    b"content-id",
    b"content-description",
    b"auto-submitted",
    b"resent-date",
    b"resent-from",
    b"resent-to",
    b"resent-cc",
    b"resent-message-id",
    b"list-id",
    b"list-help",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"list-subscribe",
    b"list-post",
    b"list-owner",
    b"list-archive",
)
_SIGNABLE = frozenset(OVERSIGNED + SIGNED)

_NEXT_FIELD = re.compile(rb"\r\n(?![ \t])")
_SPACES = re.compile(rb"  +")
_LINE = 76  # of our own field, well below RFC 5322's 78


def sign(raw: bytes, *, domain: str, keys: Sequence[tuple[str, PrivateKey]], timestamp: int) -> bytes:
    """A DKIM-Signature field for each (selector, key), each with its CRLF, to be put in front of raw.

    raw has CRLF line ends throughout: what a later hop normalises would break the signature.
    domain is an A-label; timestamp is seconds since the epoch (t=).
    Raises BadHeader when more fields would have to be signed than limits.DKIM_FIELDS.
    """
    header, body = split(raw)
    names, lines = to_sign(header)
    if len(names) > limits.DKIM_FIELDS:
        raise BadHeader("Too many header fields to sign")
    body_hash = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest())
    fields = []
    for selector, key in keys:
        algorithm = b"rsa-sha256" if isinstance(key, rsa.RSAPrivateKey) else b"ed25519-sha256"
        field = b"DKIM-Signature: " + fold(
            [b"v=1; ", b"a=%b; " % algorithm, b"c=relaxed/relaxed; "]
            + [b"d=%b; " % domain.encode("ascii"), b"s=%b; " % selector.encode("ascii")]
            + [b"t=%d; " % timestamp, b"h=" + names[0]]
            + [b":" + name for name in names[1:]]
            + [b"; ", b"bh=%b;" % body_hash],
            len(b"DKIM-Signature: "),
        )
        field += b"\r\n b="
        own = relaxed_field(b"DKIM-Signature", field.partition(b":")[2])  # §3.7: without its CRLF
        value = base64.b64encode(signature(key, b"\r\n".join([*lines, own])))
        chunks = [value[i : i + 70] for i in range(0, len(value), 70)]
        fields.append(field + b"\r\n ".join(chunks) + b"\r\n")
    return b"".join(fields)


def relaxed_body(body: bytes) -> bytes:
    """The body as hashed: white space runs as one space, none at line ends, no empty lines at the end.

    (RFC 6376 §3.4.4. An empty body stays empty.)
    """
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    body = relaxed_lines(body)
    end = len(body)
    while body.endswith(b"\r\n\r\n", 0, end):
        end -= 2
    return b"" if body[:end] == b"\r\n" else body[:end]


def relaxed_lines(lines: bytes) -> bytes:
    """Whole lines with white space runs as one space, and none at their ends. (RFC 6376 §3.4.4)"""
    # After the runs are single spaces, the rest is plain replacement: never quadratic.
    lines = lines.replace(b"\t", b" ")
    if b"  " in lines:
        lines = _SPACES.sub(b" ", lines)
    return lines.replace(b" \r\n", b"\r\n")


def relaxed_field(name: bytes, value: bytes) -> bytes:
    """One field as hashed: name in lower case, unfolded, white space runs as one space. (RFC 6376 §3.4.2)

    Without the CRLF that ends it. value is what follows the colon.
    """
    value = value.replace(b"\r\n", b"").replace(b"\t", b" ")
    return name.strip(b" \t").lower() + b":" + _SPACES.sub(b" ", value).strip(b" ")


def generate_key(algorithm: Algorithm) -> str:
    """A fresh private key as unencrypted PKCS #8 PEM: RSA of 2048 bits (RFC 8301 §3.2), or Ed25519."""
    key: PrivateKey
    if algorithm == "rsa":
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    else:
        key = ed25519.Ed25519PrivateKey.generate()
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")


def load_key(pem: str) -> PrivateKey:
    """The key object of a PEM text that generate_key() made. Raises ValueError.

    That its numbers are primes is not proven once more: that takes fifty milliseconds, in which an event loop
    would stand still. A key of unknown origin needs that proof.
    """
    key = serialization.load_pem_private_key(
        pem.encode("ascii"), password=None, unsafe_skip_rsa_key_validation=True
    )
    if not isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey):
        raise ValueError("neither an RSA nor an Ed25519 key")  # noqa: TRY004 - a bad text
    return key


def public_record(key: PrivateKey) -> str:
    """What stands in TXT at SELECTOR._domainkey.DOMAIN. (RFC 6376 §3.6.1, RFC 8463 §4)"""
    public = key.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        kind, octets = (
            "rsa",
            public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        )
    else:
        kind, octets = "ed25519", public.public_bytes_raw()
    return f"v=DKIM1; k={kind}; p={base64.b64encode(octets).decode('ascii')}"


def split(raw: bytes) -> tuple[bytes, bytes]:
    if raw.startswith(b"\r\n"):
        return b"", raw[2:]
    header, _, body = raw.partition(b"\r\n\r\n")
    return header.removesuffix(b"\r\n"), body


def to_sign(header: bytes, *, also: tuple[bytes, ...] = ()) -> tuple[list[bytes], list[bytes]]:
    """The names for h= and the canonical fields they stand for, in the same order.

    also: names of more fields to sign where they occur.
    """
    found: dict[bytes, list[bytes]] = defaultdict(list)
    for line in _NEXT_FIELD.split(header):
        name, colon, value = line.partition(b":")
        key = name.rstrip(b" \t").lower()
        if colon and (key in _SIGNABLE or key in also):
            found[key].append(relaxed_field(key, value))
    names: list[bytes] = []
    lines: list[bytes] = []
    for key in OVERSIGNED + SIGNED + also:
        fields = found.get(key, [])
        names += [key] * (len(fields) + (key in OVERSIGNED))
        lines += reversed(fields)  # §5.4.2: several of one name are taken from the bottom up
    return names, lines


def fold(tokens: list[bytes], column: int) -> bytes:
    """The tokens joined, with CRLF and a space between two of them where a line would grow too long.

    Tokens end in a space or start with a colon, where RFC 6376 §3.2 and §3.5 (h=) allow white space.
    """
    out: list[bytes] = []
    for token in tokens:
        if column + len(token) > _LINE and out:
            out[-1] = out[-1].rstrip(b" ")
            out.append(b"\r\n ")
            column = 1
        out.append(token)
        column += len(token)
    return b"".join(out)


def signature(key: PrivateKey, octets: bytes) -> bytes:
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(octets, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(hashlib.sha256(octets).digest())  # RFC 8463 §3: Ed25519 over the SHA-256 digest
