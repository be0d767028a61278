"""Guessing made slow, for every way to sign in, and good logins made cheap.

One place counts failures for web, IMAP, POP3, SMTP and ManageSieve: by name and address, by name, and by
network (threats.md P10). Where a name has signed in well lately, only the count of that very address holds,
so nobody locks an owner out of their own home by guessing from elsewhere. The same wrong password sent again
is no new guess: a phone with last year's password does not use up what its owner may try.

check() comes before a password is looked at, failed() or succeeded() after. Counts live in Redis when there
is one, so all processes share them.

The cache remembers keyed hashes, under a key made at the start of this process, of passwords that were good,
for ten minutes. It only saves the hashing: whether mailbox, tenant and person still may is asked each time.
"""

from __future__ import annotations

import hashlib
import ipaddress
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.contrib.auth.hashers import is_password_usable, make_password, verify_password

from mailcore import limits
from mailcore.errors import Busy, LoginFailed, LoginThrottled
from mailcore.outside import clock, counters

# --- Counting --------------------------------------------------------------------------------------------


def address_key(peer: str | None) -> str:
    """What counts as one address: IPv4 itself, the /64 of IPv6 (RFC 6177), "local" for none."""
    address = _address(peer)
    if address is None:
        return "local"
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def network_key(peer: str | None) -> str:
    """The /24 or /64; "" for the machine itself, behind which a webmail of many people may sit."""
    address = _address(peer)
    if address is None or address.is_loopback:
        return ""
    size = 64 if isinstance(address, ipaddress.IPv6Address) else 24
    return str(ipaddress.ip_network((address, size), strict=False))


def ip_of(peer: str | None) -> str | None:
    """The peer's address in plain form, for a row; None if it has none."""
    address = _address(peer)
    return str(address) if address is not None else None


def _address(peer: str | None) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address((peer or "").partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped if mapped is not None else address


def check(name: str, peer: str | None) -> None:
    """Raise LoginThrottled if no more passwords are tried for name from peer just now."""
    window, address = limits.LOGIN_WINDOW_SECONDS, address_key(peer)
    if counters.count(_pair(name, address), window) >= limits.LOGIN_TRIES_PAIR:
        raise LoginThrottled
    if is_usual(name, peer):
        return
    network = network_key(peer)
    if network and counters.count(f"login-network:{network}", window) >= limits.LOGIN_TRIES_NETWORK:
        raise LoginThrottled
    if counters.count(f"login-name:{name}", window) >= limits.LOGIN_TRIES_NAME:
        raise LoginThrottled


def failed(name: str, peer: str | None) -> LoginFailed:
    """Count one wrong password. The error to raise; its wait_seconds says how long it is held back."""
    window, address = limits.LOGIN_WINDOW_SECONDS, address_key(peer)
    tries = counters.hit(_pair(name, address), window)
    if not is_usual(name, peer):
        # A usual address does not use up what strangers may try, nor the other way round.
        counters.hit(f"login-name:{name}", window)
    network = network_key(peer)
    if network:
        counters.hit(f"login-network:{network}", window)
    return _refusal(tries)


def failed_again(name: str, peer: str | None) -> LoginFailed:
    """The same for a wrong password that was counted before: held back as long, not counted."""
    return _refusal(counters.count(_pair(name, address_key(peer)), limits.LOGIN_WINDOW_SECONDS))


def _refusal(tries: int) -> LoginFailed:
    error = LoginFailed()
    error.wait_seconds = wait_seconds(tries)
    return error


def hold_off(name: str, peer: str | None, refusal: LoginFailed) -> None:
    """After a refusal that should have been slow, where holding it back would hold a thread: in pages.

    No other password is tried for name from peer until some seconds have passed (see check_hold).
    """
    if refusal.wait_seconds:
        counters.hit(f"login-hold:{address_key(peer)}:{name}", limits.LOGIN_HOLD_SECONDS)


def check_hold(name: str, peer: str | None) -> None:
    """Raise LoginThrottled while hold_off() holds; what is refused so is not counted."""
    if counters.count(f"login-hold:{address_key(peer)}:{name}", limits.LOGIN_HOLD_SECONDS):
        raise LoginThrottled("Too many wrong passwords: please wait ten seconds and try again")


def succeeded(name: str, peer: str | None) -> None:
    """Remember that name usually signs in from here.

    Its failures from here stay counted: who shares the address could go on guessing otherwise.
    """
    key = _usual(name, address_key(peer))
    if not _marks.has(key):
        counters.hit(key, limits.LOGIN_USUAL_SECONDS)
        _marks.add(key)


def is_usual(name: str, peer: str | None) -> bool:
    """Whether name has signed in well from this address lately."""
    key = _usual(name, address_key(peer))
    return _marks.has(key) or counters.count(key, limits.LOGIN_USUAL_SECONDS) > 0


class _Marks:
    """The usual addresses that this process has seen in the last hour: they need no asking."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def has(self, key: str) -> bool:
        return self._seen.get(key, 0.0) > clock.monotonic()

    def add(self, key: str) -> None:
        with self._lock:
            self._seen[key] = clock.monotonic() + limits.LOGIN_WINDOW_SECONDS
            self._seen.move_to_end(key)
            while len(self._seen) > limits.LOGIN_CACHE_ENTRIES:
                self._seen.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._seen.clear()


_marks = _Marks()


def wait_seconds(tries: int) -> float:
    """How long the answer to the n-th wrong password in a row is held back."""
    over = tries - limits.LOGIN_FREE_TRIES
    return min(limits.LOGIN_WAIT_SECONDS, 0.5 * over) if over > 0 else 0.0


def _pair(name: str, address: str) -> str:
    return f"login-pair:{address}:{name}"


def _usual(name: str, address: str) -> str:
    return f"login-usual:{address}:{name}"


# --- Hashing ---------------------------------------------------------------------------------------------

_places = threading.BoundedSemaphore(limits.LOGIN_HASHES)
_dummy: str = ""


@contextmanager
def _place() -> Iterator[None]:
    if not _places.acquire(timeout=limits.LOGIN_HASH_WAIT_SECONDS):
        raise Busy
    try:
        yield
    finally:
        _places.release()


def verify(password: str, encoded: str | None, *, name: str, peer: str | None) -> tuple[bool, bool]:
    """Whether password is the one that encoded was made of, and whether encoded should be made anew.

    Takes the same time for a name without a password (None). Asks check() again once it has a place to hash
    in: tries that arrived together are not all let through. Raises LoginThrottled, Busy.
    """
    global _dummy
    with _place():
        check(name, peer)
        if encoded is None or not is_password_usable(encoded):
            if not _dummy:
                _dummy = make_password(os.urandom(16).hex())
            verify_password(password, _dummy)
            return False, False
        return verify_password(password, encoded)


# --- Remembering -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Known:
    """A password that was good (via says which kind), or wrong (via "").

    encoded is the owner's stored password it was compared with: another one is another question.
    """

    mailbox_id: int
    user_id: int
    login_version: int
    encoded: str | None
    via: str
    app_password_id: int | None
    expires: float


class Cache:
    """Keyed hashes of name and password with what they were good for; the oldest go first."""

    def __init__(self, entries: int = limits.LOGIN_CACHE_ENTRIES) -> None:
        self._entries = entries
        self._key = os.urandom(32)
        self._known: OrderedDict[bytes, Known] = OrderedDict()
        self._lock = threading.Lock()

    def _name(self, name: str, password: str) -> bytes:
        words = name.encode("utf-8", "surrogatepass"), password.encode("utf-8", "surrogatepass")
        # The length in front: no two pairs are one text.
        text = b"%d:%b%b" % (len(words[0]), *words)
        return hashlib.blake2b(text, key=self._key, digest_size=32).digest()

    def get(self, name: str, password: str) -> Known | None:
        key = self._name(name, password)
        with self._lock:
            known = self._known.get(key)
            if known is not None and known.expires <= clock.monotonic():
                del self._known[key]
                return None
            return known

    def put(self, name: str, password: str, known: Known) -> None:
        key = self._name(name, password)
        with self._lock:
            self._known[key] = known
            self._known.move_to_end(key)
            while len(self._known) > self._entries:
                self._known.popitem(last=False)

    def drop(self, name: str, password: str) -> None:
        with self._lock:
            self._known.pop(self._name(name, password), None)

    def clear(self) -> None:
        with self._lock:
            self._known.clear()

    def __len__(self) -> int:
        return len(self._known)


good = Cache()
wrong = Cache()


def forget_all() -> None:
    """Empty what this process remembers. For tests."""
    good.clear()
    wrong.clear()
    _marks.clear()
