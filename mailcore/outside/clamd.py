"""The virus scanner: one mail to one clamd, and what it says. (clamd(8), INSTREAM)

Optional: HOSTMAIL_CLAMD names the scanners, asked in that order until one answers. Mail goes on when none
does, and its evidence says so.
"""

from __future__ import annotations

import asyncio
import struct

import structlog
from django.conf import settings

from mailcore import limits
from mailcore.filters.spam import Scan

log = structlog.stdlib.get_logger(__name__)
_CHUNK = 128 * 1024
_REPLY = 4096  # clamd closes after one short line


async def scan(raw: bytes) -> Scan | None:
    """What a scanner finds in a mail; None where no scanner is set. Takes at most SCAN_SECONDS for each."""
    if not settings.HOSTMAIL_CLAMD:
        return None
    for host, port in settings.HOSTMAIL_CLAMD:
        try:
            async with asyncio.timeout(limits.SCAN_SECONDS):
                reply = await _ask(host, port, raw)
        except (OSError, TimeoutError) as error:
            log.warning("clamd does not answer", host=host, port=port, error=str(error) or "time is over")
            continue
        if reply == "OK":
            return Scan()
        if reply.endswith(" FOUND"):
            return Scan(reply.removesuffix(" FOUND")[:100])
        # Its own limits, a broken database: another one may do better.
        log.warning("clamd cannot tell", host=host, port=port, reply=reply[:200])
    return Scan(is_known=False)


async def _ask(host: str, port: int, raw: bytes) -> str:
    """What stands after "stream: ". A scanner that is full says so and closes before it has read all."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        try:
            writer.write(b"zINSTREAM\0")
            for start in range(0, len(raw), _CHUNK):
                chunk = raw[start : start + _CHUNK]
                writer.write(struct.pack("!L", len(chunk)) + chunk)
                await writer.drain()
            writer.write(bytes(4))
            await writer.drain()
        except ConnectionError:
            pass  # its reason may lie here already
        reply = await reader.read(_REPLY)
    finally:
        writer.close()
    return reply.partition(b"\0")[0].decode("ascii", "replace").removeprefix("stream: ").strip()
