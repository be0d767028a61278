"""`manage.py tenant`: the customers of this service."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db.models import Sum

from mailcore.errors import AlreadyExists
from mailcore.management.console import PASSWORD, YES, Action, Options, Tool, argument, find_tenant, size
from mailcore.models import Domain, Mailbox, Membership, Role, Tenant, User
from mailcore.services import closing, tenants, users


class Command(Tool):
    help = "Tenants: add, list, suspend, resume, remove, and who runs them."

    def actions(self) -> Sequence[Action]:
        slug = argument("slug", help="the tenant's short name")
        return (
            Action(
                "add", self.add, "Make a tenant; what exists is left alone.",
                (
                    argument("name"),
                    argument("--slug", help="short name; made from the name if left out"),
                    argument("--owner", metavar="EMAIL", help="who runs it; made if there is no such person"),
                    PASSWORD,
                ),
            ),
            Action("list", self.list, "Show all tenants."),
            Action(
                "member", self.member, "Make a person a member, or change the role of one.",
                (slug, argument("email"), argument("--role", choices=Role.values, default=Role.MEMBER.value)),
            ),
            Action(
                "suspend", self.suspend, "Stop logins, mail and sending of a tenant.",
                (slug, argument("--because", default="")),
            ),
            Action(
                "pool", self.pool, "Choose which of our addresses its mail leaves from.",
                (slug, argument("pool", help="of HOSTMAIL_SOURCE_ADDRESSES; \"\" for those without a name")),
            ),
            Action("resume", self.resume, "End a suspension.", (slug,)),
            Action("remove", self.remove, "Remove a tenant, its domains, mailboxes and mail.", (slug, YES)),
        )  # fmt: skip

    def add(self, options: Options) -> None:
        slug = options["slug"] or tenants.plain_slug(options["name"])
        tenant = Tenant.objects.filter(slug=slug).first()
        is_new = tenant is None
        owner, shown = self._owner(options)
        if tenant is None:
            tenant = tenants.create(options["name"], slug=slug, owner=owner, actor=None)
        elif owner is not None:
            self._own(tenant, owner)
        lines = [f"Tenant {tenant.slug} " + ("made" if is_new else "exists already")]
        if owner is not None:
            lines.append(f"Owner {owner.email}" + (f", password {shown}" if shown else ""))
        self.say(
            "\n".join(lines), slug=tenant.slug, name=tenant.name, made=is_new,
            owner=owner.email if owner else None, password=shown,
        )  # fmt: skip

    def _owner(self, options: Options) -> tuple[User | None, str | None]:
        if not options["owner"]:
            return None, None
        email = users.email_of(options["owner"])
        known = User.objects.filter(email=email).first()
        if known is not None:
            return known, None
        password, is_new = self.password(options)
        return users.create(email, password=password, actor=None), password if is_new else None

    def _own(self, tenant: Tenant, owner: User) -> None:
        try:
            tenants.add_member(tenant, owner, Role.OWNER, actor=None)
        except AlreadyExists:
            tenants.set_role(Membership.objects.get(tenant=tenant, user=owner), Role.OWNER, actor=None)

    def list(self, options: Options) -> None:
        self.table(
            ("slug", "name", "state", "owners", "domains", "mailboxes", "used", "created_at"),
            (
                self._row(tenant)
                for tenant in Tenant.objects.exclude(state=Tenant.State.CLOSING).order_by("slug")
            ),
        )

    def _row(self, tenant: Tenant) -> tuple[Any, ...]:
        living = Mailbox.objects.filter(tenant=tenant).exclude(state=Mailbox.State.CLOSING)
        used = living.aggregate(used=Sum("used_octets"))["used"] or 0
        return (
            tenant.slug, tenant.name, tenant.state, self._owners(tenant),
            Domain.objects.filter(tenant=tenant).count(), living.count(),
            used if self.as_json else size(used), tenant.created_at,
        )  # fmt: skip

    def _owners(self, tenant: Tenant) -> Sequence[str]:
        owners = User.objects.filter(memberships__tenant=tenant, memberships__role=Role.OWNER)
        return [*owners.values_list("email", flat=True)]

    def member(self, options: Options) -> None:
        tenant = find_tenant(options["slug"])
        user = User.objects.filter(email=users.email_of(options["email"])).first()
        shown = None
        if user is None:
            shown = self.password({})[0]
            user = users.create(options["email"], password=shown, actor=None)
        membership = Membership.objects.filter(tenant=tenant, user=user).first()
        if membership is None:
            tenants.add_member(tenant, user, options["role"], actor=None)
        elif membership.role != options["role"]:
            tenants.set_role(membership, options["role"], actor=None)
        self.say(
            f"{user.email} is {options['role']} of {tenant.slug}" + (f", password {shown}" if shown else ""),
            tenant=tenant.slug, email=user.email, role=options["role"], password=shown,
        )  # fmt: skip

    def suspend(self, options: Options) -> None:
        tenant = find_tenant(options["slug"])
        tenants.suspend(tenant, options["because"], actor=None)
        self.say(f"Tenant {tenant.slug} is suspended", slug=tenant.slug, state=tenant.state)

    def resume(self, options: Options) -> None:
        tenant = find_tenant(options["slug"])
        tenants.resume(tenant, actor=None)
        self.say(f"Tenant {tenant.slug} is active", slug=tenant.slug, state=tenant.state)

    def remove(self, options: Options) -> None:
        tenant = find_tenant(options["slug"])
        boxes = tenant.mailboxes.count()
        self.sure(options, f"Remove {tenant.name} with {boxes} mailboxes and all their mail?")
        tenants.remove(tenant, actor=None)
        closing.finish()
        self.say(f"Tenant {options['slug']} is removed", slug=options["slug"], mailboxes=boxes)

    def pool(self, options: Options) -> None:
        tenant = find_tenant(options["slug"])
        tenants.set_source_pool(tenant, options["pool"], actor=None)
        self.say(
            f"Mail of {tenant.slug} leaves from pool {tenant.source_pool or '(without a name)'}",
            slug=tenant.slug, pool=tenant.source_pool,
        )  # fmt: skip
