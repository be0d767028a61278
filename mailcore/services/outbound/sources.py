"""Which of our own addresses mail leaves from: HOSTMAIL_SOURCE_ADDRESSES, in pools that tenants are given.

A pool keeps the good name of some from the bad of others, so its mail leaves from there or not at all: hosts
of a kind (IPv4, IPv6) that the pool has no address of are left out. A pool that is no longer set counts as
the one without a name.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Protocol

from django.conf import settings

from mailcore.errors import NoSource
from mailcore.models import Tenant
from mailcore.outside.routes import Target


class Source(Protocol):
    """One address of ours, its pool, and the name it gives itself in EHLO ("" for that of the service)."""

    @property
    def pool(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def name(self) -> str: ...


def of_tenant(tenant_id: int) -> tuple[Source, ...]:
    """The addresses that a tenant's mail leaves from; none: whichever the system takes."""
    known: Sequence[Source] = settings.HOSTMAIL_SOURCE_ADDRESSES
    pool = ""
    if any(source.pool for source in known):
        pool = Tenant.objects.filter(pk=tenant_id).values_list("source_pool", flat=True).first() or ""
    chosen = tuple(source for source in known if source.pool == pool)
    return chosen or tuple(source for source in known if not source.pool)


def reachable(targets: Sequence[Target], sources: Sequence[Source]) -> tuple[Target, ...]:
    """The targets that some source has an address of the same kind for. Raises NoSource."""
    if not sources:
        return tuple(targets)
    found = tuple(target for target in targets if _fitting(sources, target.address))
    if not found:
        raise NoSource
    return found


def pick(sources: Sequence[Source], address: str) -> Source | None:
    """One of the sources from which address can be reached, at random; None without sources."""
    fitting = _fitting(sources, address)
    return random.choice(fitting) if fitting else None  # noqa: S311 - no secret


def _fitting(sources: Sequence[Source], address: str) -> list[Source]:
    version = ip_address(address).version
    return [source for source in sources if ip_address(source.address).version == version]
