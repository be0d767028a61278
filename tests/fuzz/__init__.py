"""Fuzzers for everything that reads what strangers send: `make fuzz SECONDS=60`.

A target is a function that takes octets and lets only what it expects happen; it fails by raising, or by
taking much longer than the size of its input explains. Inputs are real and hostile mails and commands,
bent at random. A failing input is made smaller and kept in build/fuzz, with the command to try it again.
"""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

# Octets that parsers take a special interest in.
TOKENS = (
    b"\r\n", b"\r", b"\n", b"\0", b"\r\n.\r\n", b"\r\n\r\n", b" ", b"\t", b'"', b"\\", b"(", b")", b"<",
    b">", b"{", b"}", b"{3}\r\n", b"{3+}\r\n", b"{99999999999}\r\n", b"=?utf-8?q?", b"=?utf-8?b?",
    b"?=", b"--", b"----", b";", b":", b"@", b",", b"=", b"%", b"*", b"&-", b"&AGE-", b"\xff", b"\xc3",
    b"\xe2\x80\xa8", b"\xc2\x85", b"0", b"4294967295", b"4294967296",
    b"Content-Type: multipart/mixed; boundary=a\r\n\r\n--a\r\n",
    b"--a--", b"filename*0*=", b"charset=",
    b"message/rfc822", b"<style>", b"javascript:", b"url(", b"<!--", b"]]>", b"BODY[", b"UID ", b"NOT ",
    b"OR ",
)  # fmt: skip
SECONDS_PER_INPUT = 2.0  # nothing of this size may take longer, on a machine that does other things too
LARGEST = 64 * 1024


@dataclass(frozen=True)
class Target:
    name: str
    run: Callable[[bytes], None]
    seeds: Sequence[bytes]


class TooSlow(AssertionError):
    """An input took longer than its size explains."""


def bend(dice: random.Random, raw: bytes, others: Sequence[bytes]) -> bytes:
    """Return raw with one to eight random changes."""
    made = bytearray(raw[:LARGEST])
    for _ in range(dice.choice((1, 1, 2, 4, 8))):
        at = dice.randrange(len(made) + 1)
        until = min(len(made), at + dice.choice((1, 1, 2, 8, 64, 1024)))
        match dice.randrange(8):
            case 0:
                made[at:at] = dice.choice(TOKENS)
            case 1:
                made[at:until] = dice.choice(TOKENS)
            case 2:
                del made[at:until]
            case 3:
                made[at:at] = made[at:until] * dice.choice((1, 2, 50))
            case 4:
                if at < len(made):
                    made[at] ^= 1 << dice.randrange(8)
            case 5:
                made[at:until] = dice.randbytes(until - at)
            case 6:
                other = dice.choice(others)
                start = dice.randrange(len(other) + 1)
                made[at:until] = other[start : start + dice.choice((4, 64, 1024))]
            case _:
                made[at:at] = dice.choice(TOKENS) * dice.choice((2, 20, 300))
        del made[LARGEST:]
    return bytes(made)


def attempt(target: Target, raw: bytes) -> BaseException | None:
    """Return what went wrong with raw, or None."""
    began = time.process_time()
    try:
        target.run(raw)
    except (Exception, RecursionError) as error:
        return error
    spent = time.process_time() - began
    return TooSlow(f"{spent:.1f} s for {len(raw)} octets") if spent > SECONDS_PER_INPUT else None


def shrink(target: Target, raw: bytes, error: BaseException, seconds: float = 20) -> bytes:
    """Return a smaller input that fails in the same way: cut out halves, quarters, ... while it does."""
    deadline = time.monotonic() + seconds
    size = max(len(raw) // 2, 1)
    while size and time.monotonic() < deadline:
        at, smaller = 0, False
        while at < len(raw) and time.monotonic() < deadline:
            candidate = raw[:at] + raw[at + size :]
            if type(attempt(target, candidate)) is type(error):
                raw, smaller = candidate, True
            else:
                at += size
        if not smaller:
            size //= 2
    return raw


def hunt(target: Target, dice: random.Random, *, seconds: float = 1e9, inputs: int = 10**12) -> bytes | None:
    """Bend inputs until one fails, or time or number is up; return the failing one, or None."""
    deadline = time.monotonic() + seconds
    pool = list(target.seeds)
    for number in range(inputs):
        if time.monotonic() > deadline:
            break
        raw = pool[number] if number < len(pool) else bend(dice, dice.choice(pool), pool)
        if attempt(target, raw) is not None:
            return raw
    return None
