"""Public keys of DKIM and ARC, as they stand in DNS: RFC 6376 §3.6.1, RFC 8301, RFC 8463. (pure)"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from mailcore import limits
from mailcore.senderauth.dkim_tags import WHITE, Broken, octets, read_tags

PublicKey = rsa.RSAPublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class Key:
    """is_testing is t=y; is_strict is t=s: not for subdomains."""

    key: PublicKey
    is_testing: bool
    is_strict: bool


def public_key(records: Sequence[str]) -> Key:
    """The first key among the TXT records of a selector. Raises Broken."""
    return _key(next((text for text in records if "p=" in WHITE.sub("", text)), ""))


def holds(key: PublicKey, signature: bytes, signed: bytes) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        else:
            key.verify(signature, hashlib.sha256(signed).digest())  # RFC 8463 §3
    except InvalidSignature:
        return False
    return True


@lru_cache(maxsize=1024)
def _key(text: str) -> Key:
    """Read a key record. Loading one costs a tenth of a millisecond: they are kept."""
    if not text.isascii():
        raise Broken("its key cannot be read")
    tags = read_tags(text)
    if "p" not in tags:
        raise Broken("there is no such key")
    if not tags["p"]:
        raise Broken("its key was revoked")
    flags = [flag.strip().lower() for flag in tags.get("t", "").split(":")]
    if tags.get("v", "DKIM1") != "DKIM1" or ("v" in tags and next(iter(tags)) != "v"):
        raise Broken("its key is of another version")
    if not _lists(tags, "h", "sha256") or not {"*", "email"} & set(_words(tags.get("s", "*"))):
        raise Broken("its key is for something else")
    return Key(_load(tags.get("k", "rsa").lower(), octets(tags["p"])), "y" in flags, "s" in flags)


def _words(text: str) -> list[str]:
    return [word.strip(" \t\r\n").lower() for word in text.split(":")]


def _lists(tags: dict[str, str], name: str, wanted: str) -> bool:
    return name not in tags or wanted in _words(tags[name])


def _load(kind: str, der: bytes) -> PublicKey:
    key: object
    try:
        if kind == "ed25519":
            return ed25519.Ed25519PublicKey.from_public_bytes(der)
        # §3.6.1 means the inner form, everybody writes the outer one; OpenSSL's loader reads both.
        key = serialization.load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Broken("its key cannot be read") from error
    if kind != "rsa" or not isinstance(key, rsa.RSAPublicKey):
        raise Broken("its key is of an unknown kind")
    if not limits.DKIM_LEAST_BITS <= key.key_size <= limits.DKIM_MOST_BITS:
        raise Broken(f"its key has {key.key_size} bits")
    return key
