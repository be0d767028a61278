"""Everything that must stay secret at rest: sealing, keyed hashes, random names.

All keys derive from HOSTMAIL_SECRET_KEY by HKDF (RFC 5869), one for each purpose ("dkim key", "app
password"), so that what leaks in one place opens nothing in another. HOSTMAIL_SECRET_KEY_OLD lists former
secrets: what they sealed can still be opened, and should be sealed anew when it is touched.
"""

import base64
import functools
import hashlib
import hmac
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from mailcore.errors import CannotUnseal

# version (1 octet), which secret (4), nonce (12), AES-256-GCM ciphertext with its tag. (NIST SP 800-38D)
_VERSION = b"\x01"
_KEY_ID, _NONCE = 4, 12
_SALT = b"hostmail/1"


def seal(purpose: str, plaintext: bytes) -> bytes:
    """Encrypt plaintext so that only open_sealed() with the same purpose opens it."""
    secret = settings.HOSTMAIL_SECRET_KEY
    head = _VERSION + _key_id(secret)
    nonce = os.urandom(_NONCE)
    return head + nonce + AESGCM(_derive(secret, "seal", purpose)).encrypt(nonce, plaintext, head)


def open_sealed(purpose: str, blob: bytes) -> bytes:
    """Return what seal() was given. Raises CannotUnseal: changed, another purpose, an unknown secret."""
    blob = bytes(blob)  # a PostgreSQL row may give a memoryview
    head, nonce, sealed = blob[: 1 + _KEY_ID], blob[1 + _KEY_ID :][:_NONCE], blob[1 + _KEY_ID + _NONCE :]
    for secret in _secrets():
        if head == _VERSION + _key_id(secret):
            try:
                return AESGCM(_derive(secret, "seal", purpose)).decrypt(nonce, sealed, head)
            except (InvalidTag, ValueError) as error:
                raise CannotUnseal from error
    raise CannotUnseal


def is_current(blob: bytes) -> bool:
    """Whether blob was sealed under the present secret; if not, seal it anew."""
    return bytes(blob)[: 1 + _KEY_ID] == _VERSION + _key_id(settings.HOSTMAIL_SECRET_KEY)


def keyed_hash(purpose: str, value: str | bytes) -> str:
    """Return 64 hexadecimal digits that nobody can compute or check without our secret."""
    return _hash(settings.HOSTMAIL_SECRET_KEY, purpose, value)


def keyed_hashes(purpose: str, value: str | bytes) -> list[str]:
    """Return keyed_hash() under the present secret and the former ones: look a stored hash up in these."""
    return [_hash(secret, purpose, value) for secret in _secrets()]


def matches(purpose: str, value: str | bytes, stored: str) -> bool:
    """Whether stored is the keyed hash of value, now or under a former secret; in constant time."""
    results = [hmac.compare_digest(stored.encode(), each.encode()) for each in keyed_hashes(purpose, value)]
    return any(results)


def derived_key(purpose: str, octets: int = 32) -> bytes:
    """Return key material for a library that wants its own key."""
    return _derive(settings.HOSTMAIL_SECRET_KEY, "key", purpose, octets)


def random_id() -> str:
    """Return 80 random bits as 16 letters and digits in lower case, for names that outsiders see."""
    return base64.b32encode(os.urandom(10)).decode("ascii").lower()


def _secrets() -> list[str]:
    return [settings.HOSTMAIL_SECRET_KEY, *settings.HOSTMAIL_SECRET_KEY_OLD]


def _hash(secret: str, purpose: str, value: str | bytes) -> str:
    # A password may hold what no UTF-8 can, as a client sent it.
    octets = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    return hmac.digest(_derive(secret, "hash", purpose), octets, hashlib.sha256).hex()


@functools.lru_cache(maxsize=256)
def _derive(secret: str, use: str, purpose: str, octets: int = 32) -> bytes:
    info = f"{use}\0{purpose}".encode()
    return HKDF(algorithm=SHA256(), length=octets, salt=_SALT, info=info).derive(secret.encode())


def _key_id(secret: str) -> bytes:
    return _derive(secret, "id", "", _KEY_ID)
