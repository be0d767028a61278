"""The outbound queue: one entry per recipient, with every attempt and the remote host's words."""

from __future__ import annotations

from collections.abc import Callable

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hostmail.api.base import Shows
from mailcore.models import Attempt, QueueEntry, User
from mailcore.services import queue


class EntryShown(serializers.ModelSerializer[QueueEntry]):
    id = serializers.CharField(source="public_id", read_only=True)
    tenant = serializers.CharField(source="tenant.slug", read_only=True)
    submission = serializers.CharField(source="submission.public_id", read_only=True)
    sender = serializers.CharField(source="submission.reverse_path", read_only=True)

    class Meta:
        model = QueueEntry
        fields = (
            "id", "tenant", "submission", "sender", "recipient", "state", "due_at", "attempt_count",
            "last_code", "last_status", "last_reply", "last_host", "created_at", "finished_at",
        )  # fmt: skip


class AttemptShown(serializers.ModelSerializer[Attempt]):
    class Meta:
        model = Attempt
        fields = (
            "started_at", "duration_ms", "outcome", "host", "address", "tls_version", "tls_cipher",
            "tls_verdict", "phase", "code", "status", "reply",
        )  # fmt: skip


class EntryWithAttempts(EntryShown):
    attempts = AttemptShown(many=True, read_only=True)

    class Meta(EntryShown.Meta):
        fields = (*EntryShown.Meta.fields, "attempts")  # type: ignore[assignment]


class Queue(Shows):
    """What leaves your organisations."""

    serializer_class = EntryShown

    def get_queryset(self) -> QuerySet[QueueEntry]:
        return self.mine(QueueEntry.objects.select_related("tenant", "submission"))

    @extend_schema(parameters=[OpenApiParameter("state", enum=[*QueueEntry.State.values])])
    def list(self, request: Request) -> Response:
        rows = self.get_queryset()
        if state := request.query_params.get("state"):
            if state not in QueueEntry.State.values:
                raise serializers.ValidationError({"state": ["There is no such state."]})
            rows = rows.filter(state=state)
        return self.page(rows)

    @extend_schema(responses=EntryWithAttempts)
    def retrieve(self, request: Request, public_id: str) -> Response:
        return Response(EntryWithAttempts(self.get_object()).data)

    def _steer(self, verb: Callable[..., object]) -> Response:
        entry: QueueEntry = self.get_object()
        actor: User = self.person
        verb(entry, actor=actor)
        return self.answer(self.get_queryset().get(pk=entry.pk))

    @extend_schema(request=None, responses=EntryShown)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, public_id: str) -> Response:
        """Try again now."""
        return self._steer(queue.retry)

    @extend_schema(request=None, responses=EntryShown)
    @action(detail=True, methods=["post"])
    def hold(self, request: Request, public_id: str) -> Response:
        """Keep it until it is released."""
        return self._steer(queue.hold)

    @extend_schema(request=None, responses=EntryShown)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, public_id: str) -> Response:
        """Let it go on."""
        return self._steer(queue.release)

    @extend_schema(request=None, responses=EntryShown)
    @action(detail=True, methods=["post"])
    def drop(self, request: Request, public_id: str) -> Response:
        """Give it up without a report."""
        return self._steer(queue.drop)
