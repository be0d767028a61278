"""The outbound queue, what was sent, what happened and who did what, in the staff admin."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import URLPattern
from django.utils.translation import gettext_lazy as _

from hostmail.staff import traces
from hostmail.staff.base import ReadOnlyInline, StaffAdmin, actor
from mailcore.models import Attempt, AuditEntry, Event, QueueEntry, Submission
from mailcore.services import queue


class AttemptInline(ReadOnlyInline):
    model = Attempt
    fields = (
        "started_at", "outcome", "host", "address", "tls_version", "tls_verdict", "phase", "code", "status",
        "reply", "duration_ms",
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
