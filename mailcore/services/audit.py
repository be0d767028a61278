"""The audit log: who did what to which thing. Called by services, inside the transaction of the change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db.models import Model

from mailcore.models import AuditEntry, Tenant, User

OPERATOR = "operator"

# Where whoever acts sits, as the face that speaks with them knows: a dozen services would only hand it on.
_address: ContextVar[str | None] = ContextVar("audit.address", default=None)


def comes_from(address: str | None) -> None:
    """From now on what is done here is done by somebody at this network address; None: nobody knows where."""
    _address.set(address or None)


@contextmanager
def coming_from(address: str | None) -> Iterator[None]:
    """The same for the time of a block."""
    token = _address.set(address or None)
    try:
        yield
    finally:
        _address.reset(token)


def record(
    actor: User | None,
    verb: str,
    obj: Model | str,
    *,
    tenant: Tenant | None = None,
    data: Mapping[str, Any] | None = None,
    address: str | None = None,
) -> None:
    """Add one entry. actor None is the operator at the command line.

    address is where the actor sits, as the face said it by comes_from() unless given.

    tenant is obj's own unless given. data never holds a password or a token.
    """
    if tenant is None:
        tenant = obj if isinstance(obj, Tenant) else getattr(obj, "tenant", None)
    AuditEntry.objects.create(
        tenant=tenant,
        actor=actor,
        actor_name=actor.email if actor else OPERATOR,
        verb=verb,
        object_kind="" if isinstance(obj, str) else str(obj._meta.model_name),
        object_name=str(obj)[:320],
        data=dict(data or {}),
        address=address if address is not None else _address.get(),
    )


def record_person(
    actor: User | None, verb: str, user: User, obj: Model | str = "", *, data: Mapping[str, Any] | None = None
) -> None:
    """Add an entry about user, or a thing of theirs, in each organisation they belong to.

    Who runs an organisation answers for what its people can do. Someone who belongs to none has one entry
    that staff alone sees.
    """
    for tenant in [*Tenant.objects.filter(memberships__user=user).order_by("pk")] or [None]:
        record(actor, verb, obj or user, tenant=tenant, data=data)
