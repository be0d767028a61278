"""What a handler of a command may ask the server for, and what it waits for. Taken from session.py."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from mailcore.services.messages import Unit


@dataclass(frozen=True, slots=True)
class Ask:
    """Say prompt (a whole "+ ..." line) and bring the client's next line, without its end."""

    prompt: bytes


@dataclass(frozen=True, slots=True)
class Wait:
    """Bring the client's next line, or RANG when the mailbox may have changed. The first brings RANG."""


@dataclass(frozen=True, slots=True)
class StartTLS:
    """Say goodbye (a whole line) in the clear, throw away what is buffered, and shake hands."""

    goodbye: bytes


@dataclass(frozen=True, slots=True)
class Compress:
    """Say goodbye (a whole line) as it is, and compress both ways from there on."""

    goodbye: bytes


@dataclass(frozen=True, slots=True)
class File:
    """Have the clerk file a unit; bring what was filed. Its MailError is raised in the handler."""

    unit: Unit


@dataclass(frozen=True, slots=True)
class Work:
    """Bring what function(*arguments) returns: for handlers on the event loop that need the database."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Pause:
    """Go on after some seconds: how failed logins are slowed."""

    seconds: float


RANG = object()
Request: TypeAlias = Ask | Wait | StartTLS | Compress | File | Work | Pause
