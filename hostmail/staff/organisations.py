"""Tenants, people, domains and mailboxes in the staff admin. No page here shows anybody's mail."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Concat
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from hostmail.staff.base import ReadOnlyInline, StaffAdmin, actor
from mailcore.models import Access, Address, DkimKey, Domain, Mailbox, Membership, Tenant, User
from mailcore.services import domains, mailboxes, tenants, users


class MembershipInline(ReadOnlyInline):
    model = Membership
    fields = ("user", "role", "created_at")


class DomainInline(ReadOnlyInline):
    model = Domain
    fields = ("name", "state", "checked_at")


@admin.register(Tenant)
class TenantAdmin(StaffAdmin):
    list_display = ("name", "slug", "state", "domain_count", "mailbox_count", "created_at")
    list_filter = ("state",)
    search_fields = ("name", "slug", "domains__name")
    fields = ("name", "slug", "state", "suspended_because", "retention_days", "event_days", "created_at")
    editable = ("name",)
    inlines = (DomainInline, MembershipInline)
    actions = ("suspend", "resume")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tenant]:
        found: QuerySet[Tenant] = super().get_queryset(request)
        return found.annotate(
            domain_total=Count("domains", distinct=True), mailbox_total=Count("mailboxes", distinct=True)
        )

    @admin.display(description=_("domains"), ordering="domain_total")
    def domain_count(self, tenant: Any) -> int:
        return int(tenant.domain_total)

    @admin.display(description=_("mailboxes"), ordering="mailbox_total")
    def mailbox_count(self, tenant: Any) -> int:
        return int(tenant.mailbox_total)

    def save_model(self, request: HttpRequest, obj: Tenant, form: Any, change: bool) -> None:
        if "name" in form.changed_data:
            tenants.rename(Tenant.objects.get(pk=obj.pk), obj.name, actor=actor(request))

    @admin.action(description=_("Suspend: no mail, no sign-in, nothing leaves"))
    def suspend(self, request: HttpRequest, chosen: QuerySet[Tenant]) -> None:
        self.run(
            request, chosen, lambda row: tenants.suspend(row, "by staff", actor=actor(request)), "suspended"
        )

    @admin.action(description=_("Resume"))
    def resume(self, request: HttpRequest, chosen: QuerySet[Tenant]) -> None:
        self.run(request, chosen, lambda row: tenants.resume(row, actor=actor(request)), "resumed")


@admin.register(User)
class UserAdmin(StaffAdmin):
    list_display = ("email", "name", "is_staff", "is_active", "last_login", "date_joined")
    list_filter = ("is_staff", "is_active")
    search_fields = ("email", "name")
    fields = (
        "email", "name", "recovery_email", "timezone", "is_staff", "is_active", "last_login", "date_joined",
    )  # fmt: skip
    inlines = (MembershipInline,)
    actions = ("deactivate", "activate")

    @admin.action(description=_("Deactivate: every session and client login ends"))
    def deactivate(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        self.run(request, chosen, lambda row: users.deactivate(row, actor=actor(request)), "deactivated")

    @admin.action(description=_("Activate"))
    def activate(self, request: HttpRequest, chosen: QuerySet[User]) -> None:
        self.run(request, chosen, lambda row: users.activate(row, actor=actor(request)), "activated")


class KeyInline(ReadOnlyInline):
    model = DkimKey
    fields = ("selector", "algorithm", "is_active", "created_at", "retired_at")


@admin.register(Domain)
class DomainAdmin(StaffAdmin):
    list_display = ("name", "tenant", "state", "is_trusted", "checked_at", "check_at")
    list_filter = ("state", "is_trusted")
    list_select_related = ("tenant",)
    search_fields = ("name", "tenant__name")
    fields = (
        "name", "tenant", "state", "is_trusted", "verified_at", "checked_at", "check_at", "check_count",
        "alias_of", "findings", "created_at",
    )  # fmt: skip
    inlines = (KeyInline,)
    actions = ("check_now", "trust", "suspend", "resume")

    @admin.action(description=_("Check DNS now"))
    def check_now(self, request: HttpRequest, chosen: QuerySet[Domain]) -> None:
        self.run(request, chosen, domains.check_now, "will be checked")

    @admin.action(description=_("Take as proven without DNS"))
    def trust(self, request: HttpRequest, chosen: QuerySet[Domain]) -> None:
        self.run(request, chosen, lambda row: domains.trust(row, actor=actor(request)), "taken as proven")

    @admin.action(description=_("Suspend"))
    def suspend(self, request: HttpRequest, chosen: QuerySet[Domain]) -> None:
        self.run(request, chosen, lambda row: domains.suspend(row, actor=actor(request)), "suspended")

    @admin.action(description=_("Resume"))
    def resume(self, request: HttpRequest, chosen: QuerySet[Domain]) -> None:
        self.run(request, chosen, lambda row: domains.resume(row, actor=actor(request)), "resumed")


class AddressInline(ReadOnlyInline):
    model = Address
    fields = ("domain", "local_part", "is_primary", "is_enabled")


class AccessInline(ReadOnlyInline):
    model = Access
    fields = ("user", "rights", "is_owner", "created_at")


@admin.register(Mailbox)
class MailboxAdmin(StaffAdmin):
    list_display = ("address", "tenant", "kind", "state", "used", "quota", "message_count", "created_at")
    list_filter = ("state", "kind")
    list_select_related = ("tenant",)
    search_fields = ("addresses__local_part", "addresses__domain__name", "name", "tenant__name")
    fields = (
        "name", "tenant", "kind", "state", "suspended_because", "quota_octets", "used_octets",
        "message_count", "file_sent_smtp", "file_sent_api", "created_at",
    )  # fmt: skip
    editable = ("quota_octets",)
    inlines = (AddressInline, AccessInline)
    actions = ("suspend", "resume")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Mailbox]:
        primary = Address.objects.filter(mailbox=OuterRef("pk"), is_primary=True)
        named = primary.annotate(full=Concat("local_part", Value("@"), "domain__name")).values("full")[:1]
        found: QuerySet[Mailbox] = super().get_queryset(request)
        return found.annotate(primary=Subquery(named))

    @admin.display(description=_("address"), ordering="primary")
    def address(self, mailbox: Any) -> str:
        return str(mailbox.primary or mailbox.name or mailbox.public_id)

    @admin.display(description=_("used"), ordering="used_octets")
    def used(self, mailbox: Mailbox) -> str:
        return filesizeformat(mailbox.used_octets)

    @admin.display(description=_("quota"), ordering="quota_octets")
    def quota(self, mailbox: Mailbox) -> str:
        return filesizeformat(mailbox.quota_octets)

    def save_model(self, request: HttpRequest, obj: Mailbox, form: Any, change: bool) -> None:
        if "quota_octets" in form.changed_data:
            mailboxes.set_quota(Mailbox.objects.get(pk=obj.pk), obj.quota_octets, actor=actor(request))

    @admin.action(description=_("Suspend: no mail, no sign-in"))
    def suspend(self, request: HttpRequest, chosen: QuerySet[Mailbox]) -> None:
        self.run(
            request, chosen, lambda row: mailboxes.suspend(row, "by staff", actor=actor(request)), "suspended"
        )

    @admin.action(description=_("Resume"))
    def resume(self, request: HttpRequest, chosen: QuerySet[Mailbox]) -> None:
        self.run(request, chosen, lambda row: mailboxes.resume(row, actor=actor(request)), "resumed")


@admin.register(Address)
class AddressAdmin(StaffAdmin):
    list_display = ("__str__", "tenant", "mailbox", "is_primary", "is_enabled", "created_at")
    list_filter = ("is_enabled",)
    list_select_related = ("tenant", "domain", "mailbox")
    search_fields = ("local_part", "domain__name")
