"""What is demanded of TLS with a mail host: DANE, MTA-STS and the sender's own wish put together. (pure)

| known of the host                     | demanded                                               |
|---|---|
| TLSA records, looked up securely      | a certificate that they name (RFC 7672 §2.2)           |
| the same, none of which can be used   | TLS, with whatever certificate                         |
| TLSA records that cannot be had now   | nothing is sent there now (RFC 7672 §2.1.2)            |
| MTA-STS, enforce, host in the policy  | a certificate good for its name (RFC 8461 §4.1)        |
| MTA-STS, enforce, host not in it      | nothing is sent there (RFC 8461 §5)                    |
| MTA-STS, testing                      | as below; what would have failed is counted            |
| nothing                               | TLS if it works (RFC 7435)                             |

DANE goes before MTA-STS for the certificate, and MTA-STS never makes good what DANE objects to (RFC 8461 §2).
REQUIRETLS (RFC 8689) demands that, or else a good certificate, and a list of hosts that can be trusted;
TLS-Required: No takes all demands away.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from mailcore.tlspolicy.mta_sts import Mode, Policy
from mailcore.tlspolicy.tlsa import TLSA


class Level(StrEnum):
    """How good TLS has to be."""

    NONE = "none"  # never asked for
    OPPORTUNISTIC = "opportunistic"
    REQUIRED = "required"  # with whatever certificate
    VERIFIED = "verified"  # with a certificate that is good for the host's name
    DANE = "dane"  # with a certificate that TLSA records name


@dataclass(frozen=True, slots=True)
class Dane:
    """The TLSA records of a host. base is the name they were found under; is_lost: they cannot be had now."""

    base: str = ""
    records: tuple[TLSA, ...] = ()
    is_lost: bool = False


@dataclass(frozen=True, slots=True)
class Demand:
    """What is demanded of one host.

    policy is the word for records; names are those of its certificate, the first one for SNI, empty for the
    host's own. refusal says why the host may not be used at all, with its enhanced status.
    """

    policy: str = "opportunistic"
    level: Level = Level.OPPORTUNISTIC
    names: tuple[str, ...] = ()
    records: tuple[TLSA, ...] = ()
    requires: bool = False
    refusal: str = ""
    status: str = ""

    def covers(self, other: Demand) -> bool:
        """Whether a connection made under this demand may carry mail that demands the other."""
        if other.requires and not self.requires:
            return False
        if self.refusal or other.refusal:
            return False
        match other.level:
            case Level.NONE | Level.OPPORTUNISTIC:
                return True
            case Level.REQUIRED:
                return self.level not in (Level.NONE, Level.OPPORTUNISTIC)
        mine = self.level, self.names, self.records
        return mine == (other.level, other.names, other.records)

    @property
    def words(self) -> str:
        """What is demanded, for people."""
        return {
            Level.NONE: "TLS is not asked for",
            Level.OPPORTUNISTIC: "TLS is used if it works",
            Level.REQUIRED: "TLS is demanded",
            Level.VERIFIED: "TLS with a good certificate is demanded",
            Level.DANE: "TLS with a certificate that the TLSA records name is demanded",
        }[self.level] + f" ({self.policy})"


OPPORTUNISTIC = Demand()


def demand(domain: str, host: str, sts: Policy | None, dane: Dane) -> Demand:
    """What is demanded of a mail host of domain, by what it and the domain have published."""
    if sts is not None and sts.mode == Mode.ENFORCE and not sts.allows(host):
        refusal = f"{host} is not among the mail hosts that the MTA-STS policy of {domain} names"
        return Demand("mta-sts enforce", Level.VERIFIED, refusal=refusal, status="4.7.5")
    if dane.is_lost:
        refusal = (
            f"The TLSA records of {host} cannot be looked up now, so it cannot be told from a forged one"
        )
        return Demand("dane", Level.DANE, refusal=refusal, status="4.7.5")
    if dane.records:
        usable = tuple(record for record in dane.records if record.is_usable)
        if usable:
            names = tuple(dict.fromkeys((dane.base, domain, host)))
            return Demand("dane", Level.DANE, names, usable)
        return Demand("dane", Level.REQUIRED)
    if sts is not None and sts.mode == Mode.ENFORCE:
        return Demand("mta-sts enforce", Level.VERIFIED)
    if sts is not None and sts.mode == Mode.TESTING:
        return Demand("mta-sts testing")
    return OPPORTUNISTIC


def with_requiretls(base: Demand, host: str, *, is_trusted: bool) -> Demand:
    """The demand of a message with REQUIRETLS, on top of the host's own. (RFC 8689 §4.2.1)

    is_trusted: the host is in a list that DNSSEC or an MTA-STS policy vouches for, or the operator named it.
    """
    if not is_trusted:
        refusal = f"The sender demands TLS all the way, and neither DNSSEC nor MTA-STS vouches for {host}"
        return Demand("requiretls", Level.VERIFIED, requires=True, refusal=refusal, status="5.7.30")
    level = base.level if base.level == Level.DANE else Level.VERIFIED
    return replace(base, policy="requiretls", level=level, requires=True)


def digest(demands: Iterable[tuple[str, Demand]]) -> str:
    """A name for what is demanded of several hosts: mail shares connections only where it is the same."""
    pairs = sorted({(host, repr(each)) for host, each in demands if each != OPPORTUNISTIC})
    return hashlib.sha256(repr(pairs).encode()).hexdigest()[:16] if pairs else ""
