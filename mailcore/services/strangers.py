"""Hosts that nobody vouches for: how often they connect, bring mail, and guess at addresses.

The MX asks, in a thread, because counts live in Redis. Relays of ours (HOSTMAIL_TRUSTED_SENDERS) and, unless
HOSTMAIL_VERIFY_SENDERS=on, this machine are never counted. All refusals are temporary: a host that is only
busy comes back. A network is a /24 or a /64 and may do NETWORK_TIMES as much as one address.
"""

from __future__ import annotations

from django.conf import settings

from mailcore import limits
from mailcore.errors import MailError, TooManyConnections, TooManyGuesses, TooMuchMail
from mailcore.outside import counters
from mailcore.services import logins

_MINUTE, _HOUR, _WEEK = 60, 3600, 7 * 86400


def arrive(peer: str) -> bool:
    """Count a connection; whether good mail came from there within a week.

    Raises TooManyConnections, TooManyGuesses.
    """
    address = logins.address_key(peer)
    if counters.count(f"mx-guesses:{address}", _HOUR) > settings.HOSTMAIL_MX_GUESSES > 0:
        raise TooManyGuesses
    _count("connections", peer, _MINUTE, settings.HOSTMAIL_MX_CONNECTIONS, TooManyConnections())
    return counters.count(f"mx-good:{address}", _WEEK) > 0


def bring(peer: str, recipients: int) -> None:
    """Count a message before it is filed. Raises TooMuchMail."""
    _count("messages", peer, _HOUR, settings.HOSTMAIL_MX_MESSAGES, TooMuchMail())
    _count("recipients", peer, _HOUR, settings.HOSTMAIL_MX_RECIPIENTS, TooMuchMail(), recipients)


def guess(peer: str) -> None:
    """Count a recipient that is none. Raises TooManyGuesses."""
    hits = counters.hit(f"mx-guesses:{logins.address_key(peer)}", _HOUR)
    if hits > settings.HOSTMAIL_MX_GUESSES > 0:
        raise TooManyGuesses


def prove(peer: str) -> None:
    """Remember that mail whose sender is proven came from there."""
    counters.hit(f"mx-good:{logins.address_key(peer)}", _WEEK)


def _count(what: str, peer: str, window: int, allowed: int, error: MailError, amount: int = 1) -> None:
    """Raise error when that was too much for the address or its network; 0 allows any number."""
    if not allowed:
        return
    if counters.hit(f"mx-{what}:{logins.address_key(peer)}", window, amount) > allowed:
        raise error
    network = logins.network_key(peer)
    if network and counters.hit(f"mx-{what}-net:{network}", window, amount) > allowed * limits.NETWORK_TIMES:
        raise error
