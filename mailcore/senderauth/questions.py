"""What sender authentication asks of DNS, and what it is told, as values. (pure)

An evaluator is a generator: it yields questions, several at once where it can, and is sent their outcomes in
the same order. Who drives it has the network; a test has a dict.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mailcore.errors import MailError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Question:
    """The records of one type: TXT, A, AAAA, MX or PTR."""

    name: str
    type: str


# Records as text (MX is "10 mx.example.org"; TXT strings are put together); or NoSuchName, NoRecords for
# none, and a MailError with retry, such as LookupFailed, for "cannot be told now".
Outcome = Sequence[str] | MailError
Steps = Generator[Sequence[Question], Sequence[Outcome], T]
