"""Octets to what the store keeps. Runs before any lock, in any thread, and never fails."""

from __future__ import annotations

import hashlib
import threading

import zstandard

from mailcore import limits
from mailcore.message.index import index
from mailcore.services.messages.units import Prepared

RAW, ZSTD = 0, 1
IN_ROW, IN_FILE = 0, 1

_local = threading.local()


def _compress(octets: bytes) -> bytes:
    compressor = getattr(_local, "compressor", None)
    if compressor is None:
        # Its objects are not safe to share between threads, and expensive to make.
        # Level 1 takes three fifths of the time of the usual 3, and on real mail is 1.6 % bigger.
        compressor = _local.compressor = zstandard.ZstdCompressor(level=1)
    compressed: bytes = compressor.compress(octets)
    return compressed


def decompress(codec: int, payload: bytes) -> bytes:
    """The body as it arrived."""
    if codec == RAW:
        return payload
    decompressor = getattr(_local, "decompressor", None)
    if decompressor is None:
        decompressor = _local.decompressor = zstandard.ZstdDecompressor()
    octets: bytes = decompressor.decompress(payload)
    return octets


def prepare(raw: bytes) -> Prepared:
    """Scan, hash and compress one mail. raw is kept exactly as it is, NUL-free or not."""
    scanned = index(raw)
    body = raw[scanned.header_octets :]
    payload, codec = body, RAW
    if len(body) > 256:
        compressed = _compress(body)
        if len(compressed) < len(body):
            payload, codec = compressed, ZSTD
    return Prepared(
        index=scanned,
        header=raw[: scanned.header_octets],
        payload=payload,
        codec=codec,
        place=IN_FILE if len(payload) > limits.INLINE_OCTETS else IN_ROW,
        sha256=hashlib.sha256(body).digest(),
        octets=len(raw),
    )
