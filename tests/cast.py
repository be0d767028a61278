"""The cast. Alice owns a tenant with a proven domain, Bob is a member of it with a mailbox, and Charlie owns
another tenant and must see nothing of theirs.

    cast = Cast()                 # in a test that may use the database
    cast.alice.mailbox, cast.bob.user, cast.charlie.tenant, cast.bob.password

Rows are made by the services; only passwords and domains take a short cut (one hash for all, no DKIM keys),
because hashing and RSA keys would be most of a test's time.
"""

import functools
from dataclasses import dataclass

from django.contrib.auth.hashers import make_password

from mailcore.models import Domain, Mailbox, Membership, Role, Tenant, User
from mailcore.outside import clock
from mailcore.services import domains, mailboxes, tenants, users

PASSWORD = "correct horse battery staple"


@functools.cache
def encoded_password() -> str:
    return make_password(PASSWORD)


@dataclass(frozen=True)
class Person:
    """Somebody with a mailbox of their own."""

    user: User
    tenant: Tenant
    domain: Domain
    mailbox: Mailbox
    address: str
    password: str = PASSWORD


def make_tenant(name: str = "Acme", **fields) -> Tenant:
    return tenants.create(name, actor=None, **fields)


def make_user(email: str, *, name: str = "", is_staff: bool = False) -> User:
    """A person with PASSWORD."""
    return users.create(email, name=name, is_staff=is_staff, encoded_password=encoded_password(), actor=None)


def make_domain(tenant: Tenant, name: str, *, verified: bool = True, keys: bool = False) -> Domain:
    """A domain, proven unless told. With keys it is made by the service, with its DKIM keys."""
    if keys:
        return domains.add(tenant, name, actor=None, trusted=verified)
    return Domain.objects.create(
        tenant=tenant,
        name=name,
        state=Domain.State.VERIFIED if verified else Domain.State.PENDING,
        verified_at=clock.now() if verified else None,
        check_at=None if verified else clock.now(),
        is_trusted=verified,
    )


def make_mailbox(tenant: Tenant, address: str, *, owner: User | None = None, **fields) -> Mailbox:
    """A mailbox; its person has PASSWORD."""
    if owner is None and fields.get("kind", "personal") == "personal":
        known = User.objects.filter(email=address).first()
        owner = known or make_user(address)
        Membership.objects.get_or_create(tenant=tenant, user=owner, defaults={"role": Role.MEMBER})
    made = mailboxes.create(tenant, address, owner=owner, actor=None, **fields)
    # What is about taking letters back says so; elsewhere they leave at once.
    Mailbox.objects.filter(pk=made.pk).update(undo_seconds=0)
    made.undo_seconds = 0
    return made


def make_person(
    tenant: Tenant, domain: Domain, local: str, *, role: str = Role.MEMBER, name: str = ""
) -> Person:
    address = f"{local}@{domain.name}"
    user = make_user(address, name=name)
    Membership.objects.create(tenant=tenant, user=user, role=role)
    return Person(user, tenant, domain, make_mailbox(tenant, address, owner=user, name=name), address)


class Cast:
    """Alice, Bob and Charlie, each with a mailbox; and Stella of the staff, who has none."""

    def __init__(self, *, keys: bool = False) -> None:
        acme = make_tenant("Acme")
        domain = make_domain(acme, "acme.test", keys=keys)
        self.alice = make_person(acme, domain, "alice", role=Role.OWNER, name="Alice Archer")
        self.bob = make_person(acme, domain, "bob", name="Bob Baker")
        other = make_tenant("Charlie's")
        elsewhere = make_domain(other, "charlie.test", keys=keys)
        self.charlie = make_person(other, elsewhere, "charlie", role=Role.OWNER, name="Charlie Cook")

    @functools.cached_property
    def stella(self) -> User:
        return make_user("stella@staff.test", name="Stella Staff", is_staff=True)
