"""SCRAM-SHA-256 as messages and keys, the server's side. Pure. (RFC 5802, RFC 7677, RFC 4013)

    first = client_first(octets)                      b"n,,n=ann@example.org,r=..." taken apart
    challenge = server_first(first, nonce, salt, iterations)
    final = client_final(octets, ...)                 checked against what was said before
    keys.signature(final)                             what proves us to the client, None for a wrong password

services/scram.py holds the conversation; services/verifiers.py keeps Keys.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import re
import stringprep
import unicodedata
from base64 import b64encode
from typing import NamedTuple

from mailcore.errors import BadSyntax, LoginFailed

MECHANISM, PLUS = "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"
BINDING = b"tls-server-end-point"  # RFC 5929 §4; the one kind we have

_NONCE = rb"[\x21-\x2b\x2d-\x7e]{1,256}"
_BASE64 = rb"[A-Za-z0-9+/]{0,2000}={0,2}"
_FIRST = re.compile(
    rb"(?P<gs2>(?P<flag>n|y|p=(?P<kind>[A-Za-z0-9.-]{1,100})),(?:a=(?P<acts_for>[^,\0]{1,1000}))?,)"
    rb"(?P<bare>n=(?P<name>[^,\0]{1,1000}),r=(?P<nonce>%b)(?:,[A-Za-z]=[^,\0]+)*)" % _NONCE
)
_FINAL = re.compile(
    rb"(?P<unproven>c=(?P<binding>%b),r=(?P<nonce>%b)(?:,[A-Za-z]=[^,\0]+)*),p=(?P<proof>%b)"
    % (_BASE64, _NONCE.replace(b"256", b"512"), _BASE64)
)
_ESCAPE = re.compile("=(2C|3D)?")


class Keys(NamedTuple):
    """What is kept of a password: it checks a proof, and makes none."""

    stored: bytes
    server: bytes

    def signature(self, message: bytes, proof: bytes) -> bytes | None:
        """The server's signature when proof is of this password, else None. (RFC 5802 §3)"""
        signature = hmac.digest(self.stored, message, "sha256")
        client_key = bytes(one ^ other for one, other in zip(proof, signature, strict=True))
        if not hmac.compare_digest(hashlib.sha256(client_key).digest(), self.stored):
            return None
        return hmac.digest(self.server, message, "sha256")


def keys(password: str, salt: bytes, iterations: int) -> Keys:
    """Raises BadSyntax for a password that SCRAM cannot carry."""
    salted = hashlib.pbkdf2_hmac("sha256", saslprep(password).encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    return Keys(hashlib.sha256(client).digest(), hmac.digest(salted, b"Server Key", "sha256"))


# --- Messages -------------------------------------------------------------------------------------------


class First(NamedTuple):
    """The client's first message. flag is n, y or p: whether it binds to the TLS channel."""

    gs2: bytes
    flag: str
    kind: bytes
    name: str
    nonce: bytes
    bare: bytes


def client_first(octets: bytes) -> First:
    """Raises BadSyntax; LoginFailed for who would act for somebody else."""
    found = _FIRST.fullmatch(octets)
    if found is None:
        raise BadSyntax("That is no SCRAM message")
    name = _name(found["name"])
    if found["acts_for"] is not None and _name(found["acts_for"]).casefold() != name.casefold():
        raise LoginFailed("Signing in for somebody else is not possible")
    flag = found["flag"][:1].decode()
    return First(found["gs2"], flag, found["kind"] or b"", name, found["nonce"], found["bare"])


def _name(octets: bytes) -> str:
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        raise BadSyntax("A name is UTF-8") from error
    if "=" in text:
        if any(not escape[1] for escape in _ESCAPE.finditer(text)):
            raise BadSyntax("In a name '=' is '=3D' and ',' is '=2C'")
        text = _ESCAPE.sub(lambda escape: "," if escape[1] == "2C" else "=", text)
    return text


def check_binding(first: First, *, is_plus: bool, has_endpoint: bool) -> None:
    """Raises LoginFailed when the client and we do not mean the same binding. (RFC 5802 §6)

    A client that can bind but did not see that we can has been lied to.
    """
    if first.flag == "p":
        if not is_plus or not has_endpoint or first.kind != BINDING:
            raise LoginFailed("That channel binding is not supported")
    elif is_plus:
        raise LoginFailed("A channel binding is needed")
    elif first.flag == "y" and has_endpoint:
        raise LoginFailed("Channel binding is supported here; somebody has kept that from you")


def server_first(first: First, nonce: bytes, salt: bytes, iterations: int) -> bytes:
    return b"r=%b%b,s=%b,i=%d" % (first.nonce, nonce, b64encode(salt), iterations)


class Final(NamedTuple):
    """The client's last message: what was signed, and the proof."""

    message: bytes
    proof: bytes


def client_final(octets: bytes, first: First, challenge: bytes, endpoint: bytes) -> Final:
    """challenge is server_first(); endpoint the octets to be bound to, for flag p.

    Raises BadSyntax; LoginFailed for another nonce or another channel.
    """
    found = _FINAL.fullmatch(octets)
    if found is None:
        raise BadSyntax("That is no SCRAM message")
    bound = first.gs2 + (endpoint if first.flag == "p" else b"")
    nonce = challenge[2 : challenge.index(b",")]
    proof = _base64(found["proof"])
    is_ours = hmac.compare_digest(found["nonce"], nonce) & (_base64(found["binding"]) == bound)
    if not is_ours or len(proof) != 32:
        raise LoginFailed
    return Final(b"%b,%b,%b" % (first.bare, challenge, found["unproven"]), proof)


def server_final(signature: bytes) -> bytes:
    return b"v=" + b64encode(signature)


def _base64(octets: bytes) -> bytes:
    try:
        return binascii.a2b_base64(octets, strict_mode=True)
    except binascii.Error as error:
        raise BadSyntax("That is not base64") from error


# --- SASLprep -------------------------------------------------------------------------------------------

_PROHIBITED = (
    stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4,
    stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8,
    stringprep.in_table_c9,
)  # fmt: skip


def saslprep(text: str) -> str:
    """text as passwords are compared (RFC 4013). Code points newer than Unicode 3.2 stay as they are.

    Raises BadSyntax for what is prohibited.
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    prepared = unicodedata.normalize("NFKC", mapped)
    if any(prohibited(char) for char in prepared for prohibited in _PROHIBITED):
        raise BadSyntax("A forbidden character in a password")
    right = [stringprep.in_table_d1(char) for char in prepared]
    if any(right) and (any(map(stringprep.in_table_d2, prepared)) or not (right[0] and right[-1])):
        raise BadSyntax("Letters that run both ways in a password")
    return prepared
