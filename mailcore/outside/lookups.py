"""What is asked of DNS and what comes back, as values. (pure)

A generator that needs DNS yields lookups, several at once where it can, and is sent their outcomes in the
same order: an Answer, or the MailError that says why there is none. dns.run() and dns.arun() drive it; a
test drives it from a dict.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mailcore.errors import MailError

Server = tuple[str, int]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Lookup:
    """One question. With servers it goes to those, unrecursed; fresh means: not from the cache."""

    name: str
    type: str
    servers: tuple[Server, ...] = ()
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """At least one record, as text.

    A and AAAA are addresses; TXT strings are put together and decoded as UTF-8; MX is "10 mx.example.org";
    names stand without their last dot, in lower case. canonical is where CNAMEs led. authenticated is the
    resolver's AD bit, believed as HOSTMAIL_DNS_VALIDATING says.
    """

    name: str
    type: str
    records: tuple[str, ...]
    ttl: int
    canonical: str
    authenticated: bool = False


Outcome = Answer | MailError
Steps = Generator[Sequence[Lookup], Sequence[Outcome], T]


@dataclass(frozen=True, slots=True, order=True)
class MX:
    preference: int
    host: str

    @property
    def is_null(self) -> bool:
        """Whether this says "no mail here" (RFC 7505)."""
        return self.host == "."


def parse_mx(record: str) -> MX:
    preference, host = record.split(" ", 1)
    return MX(int(preference), host)


def one(asked: Lookup) -> Steps[Answer]:
    """Ask one thing; raise what it came to if that is no answer."""
    (outcome,) = yield [asked]
    if isinstance(outcome, MailError):
        raise outcome
    return outcome


def all_records(outcomes: Sequence[Outcome]) -> list[str]:
    """Put the records of several outcomes together; with none at all raise the failure that matters most."""
    records = [record for outcome in outcomes if isinstance(outcome, Answer) for record in outcome.records]
    if not records:
        failures = [outcome for outcome in outcomes if isinstance(outcome, MailError)]
        raise next((failure for failure in failures if failure.retry), failures[0])
    return records
