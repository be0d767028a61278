"""The audit log: who did what to which thing. Called by services, inside the transaction of the change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Model

from mailcore.models import AuditEntry, Tenant, User

OPERATOR = "operator"


def record(
    actor: User | None,
    verb: str,
    obj: Model | str,
    *,
    tenant: Tenant | None = None,
    data: Mapping[str, Any] | None = None,
    address: str | None = None,
) -> None:
    """Add one entry. actor None is the operator at the command line; address is where the actor sits.

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
        address=address,
    )
