"""The outbound queue, what was sent, what happened and who did what, in the staff admin."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern
from django.utils.translation import gettext_lazy as _

from hostmail.staff import traces
from hostmail.staff.base import ReadOnlyInline, StaffAdmin, actor
from mailcore.models import Attempt, AuditEntry, Event, QueueEntry, Relay, Submission
from mailcore.services import queue, relays


class AttemptInline(ReadOnlyInline):
    model = Attempt
    fields = (
        "started_at", "outcome", "host", "address", "relay", "own_address", "tls_version", "tls_verdict",
        "phase", "code", "status", "reply", "duration_ms",
    )  # fmt: skip


@admin.register(QueueEntry)
class QueueEntryAdmin(StaffAdmin):
    list_display = (
        "recipient",
        "tenant",
        "state",
        "due_at",
        "attempt_count",
        "last_code",
        "last_host",
        "created_at",
    )
    list_filter = ("state",)
    list_select_related = ("tenant",)
    search_fields = ("recipient", "route", "submission__trace")
    ordering = ("-id",)
    inlines = (AttemptInline,)
    actions = ("retry", "hold", "release", "drop")

    @admin.action(description=_("Try again now"))
    def retry(self, request: HttpRequest, chosen: QuerySet[QueueEntry]) -> None:
        self.run(request, chosen, lambda row: queue.retry(row, actor=actor(request)), "due now")

    @admin.action(description=_("Hold"))
    def hold(self, request: HttpRequest, chosen: QuerySet[QueueEntry]) -> None:
        self.run(request, chosen, lambda row: queue.hold(row, actor=actor(request)), "on hold")

    @admin.action(description=_("Release"))
    def release(self, request: HttpRequest, chosen: QuerySet[QueueEntry]) -> None:
        self.run(request, chosen, lambda row: queue.release(row, actor=actor(request)), "released")

    @admin.action(description=_("Drop without a report"))
    def drop(self, request: HttpRequest, chosen: QuerySet[QueueEntry]) -> None:
        self.run(request, chosen, lambda row: queue.drop(row, actor=actor(request)), "dropped")


@admin.register(Submission)
class SubmissionAdmin(StaffAdmin):
    list_display = ("public_id", "tenant", "source", "reverse_path", "trace", "created_at")
    list_filter = ("source",)
    list_select_related = ("tenant",)
    search_fields = ("trace", "reverse_path", "public_id")
    ordering = ("-id",)


@admin.register(Event)
class EventAdmin(StaffAdmin):
    list_display = ("at", "kind", "tenant_id", "sender", "recipient", "trace")
    list_filter = ("kind",)
    search_fields = ("=trace",)
    ordering = ("-id",)

    def get_urls(self) -> list[URLPattern]:
        return [*traces.routes(), *super().get_urls()]


@admin.register(AuditEntry)
class AuditAdmin(StaffAdmin):
    list_display = ("at", "actor_name", "verb", "object_kind", "object_name", "tenant", "address")
    list_filter = ("at", "verb")
    list_select_related = ("tenant",)
    search_fields = ("actor_name", "object_name")
    ordering = ("-id",)


@admin.register(Relay)
class RelayAdmin(StaffAdmin):
    """What customers and operators set up; `manage.py relay` makes and tests them."""

    list_display = ("host", "port", "tenant", "domain", "tls", "after_attempts", "is_enabled", "created_at")
    list_filter = ("is_enabled",)
    list_select_related = ("tenant", "domain")
    search_fields = ("host", "tenant__slug")
    fields = (
        "host", "port", "tenant", "domain", "tls", "user", "after_attempts", "may_be_private", "is_enabled",
        "created_at",
    )  # fmt: skip
    ordering = ("-id",)
    actions = ("switch_on", "switch_off")

    @admin.action(description=_("Switch on"))
    def switch_on(self, request: HttpRequest, chosen: QuerySet[Relay]) -> None:
        self.run(request, chosen, lambda row: relays.change(row, is_enabled=True, actor=actor(request)), "on")

    @admin.action(description=_("Switch off: its mail goes as if it were not there"))
    def switch_off(self, request: HttpRequest, chosen: QuerySet[Relay]) -> None:
        self.run(
            request, chosen, lambda row: relays.change(row, is_enabled=False, actor=actor(request)), "off"
        )
