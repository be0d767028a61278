"""A mail as the signatures of DKIM and ARC see it: RFC 6376 §3.4 and §3.7. (pure)

Its fields by name, and its body made canonical and hashed once for each way to do so, however many signatures
there are.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence

from mailcore import limits
from mailcore.senderauth.bodies import pieces
from mailcore.senderauth.dkim import relaxed_field
from mailcore.senderauth.dkim_tags import OWN_B, Broken

Field = tuple[bytes, bytes]  # its name as it is written, and what follows the colon

_NEXT_FIELD = re.compile(rb"\r\n(?![ \t])")


class Mail:
    """fields are by lower-case name, from the top down."""

    def __init__(self, raw: bytes) -> None:
        header, _, self.body = (b"", b"", raw[2:]) if raw.startswith(b"\r\n") else raw.partition(b"\r\n\r\n")
        self.fields: dict[bytes, list[Field]] = defaultdict(list)
        for line in _NEXT_FIELD.split(header.removesuffix(b"\r\n")):
            name, colon, value = line.partition(b":")
            if colon:
                self.fields[name.rstrip(b" \t").lower()].append((name, value))
        self._octets: dict[bool, int] = {}
        self._hashes: dict[tuple[bool, int | None], bytes] = {}

    def of(self, name: bytes) -> list[Field]:
        """All fields of that lower-case name."""
        return self.fields.get(name, [])

    def body_octets(self, *, relaxed: bool) -> int:
        """How long the canonical body is."""
        if relaxed not in self._octets:
            self._octets[relaxed] = sum(map(len, pieces(self.body, relaxed=relaxed)))
        return self._octets[relaxed]

    def body_hash(self, *, relaxed: bool, length: int | None = None) -> bytes:
        """The SHA-256 of the canonical body, or of its first octets. Raises Broken for too many lengths."""
        kind = relaxed, length
        if kind not in self._hashes:
            if len(self._hashes) >= limits.DKIM_BODY_HASHES:
                raise Broken("too many different l=")
            digest, octets = hashlib.sha256(), 0
            for piece in pieces(self.body, relaxed=relaxed):
                digest.update(piece if length is None else piece[: max(0, length - octets)])
                octets += len(piece)
            self._octets[relaxed] = octets
            self._hashes[kind] = digest.digest()
        return self._hashes[kind]

    def signed(self, names: Sequence[bytes], own: Field, *, relaxed: bool) -> bytes:
        """The octets of §3.7: named fields from the bottom up (§5.4.2), then the signature without its b=."""
        left = {name: len(self.of(name)) for name in names}
        out = []
        for name in names:
            if left[name]:
                left[name] -= 1
                out.append(canonical_field(*self.fields[name][left[name]], relaxed=relaxed))
        out.append(canonical_field(own[0], without_b(own[1]), relaxed=relaxed))
        return b"\r\n".join(out)


def without_b(value: bytes) -> bytes:
    """A signature field as it signs itself: b= is empty."""
    return OWN_B.sub(rb"\1", value, count=1)


def canonical_field(name: bytes, value: bytes, *, relaxed: bool) -> bytes:
    """One field as hashed, without the CRLF that ends it. (§3.4.1, §3.4.2)"""
    return relaxed_field(name, value) if relaxed else name + b":" + value
