"""What happened: the trace of every message, newest first."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hostmail.api.base import Lists, Pages
from mailcore.models import Event


class EventShown(serializers.Serializer[Any]):
    trace = serializers.CharField()
    kind = serializers.CharField()
    at = serializers.DateTimeField()
    sender = serializers.CharField()
    recipient = serializers.CharField()
    data = serializers.JSONField()  # type: ignore[assignment]


class ByMoment(Pages):
    ordering = ("-at", "-pk")


class Events(Lists):
    """Events of your organisations."""

    serializer_class = EventShown
    pagination_class = ByMoment

    def get_queryset(self) -> QuerySet[Event]:
        return Event.objects.filter(tenant_id__in=self.tenants().values("pk"))

    @extend_schema(parameters=[OpenApiParameter("trace"), OpenApiParameter("kind")])
    def list(self, request: Request) -> Response:
        rows = self.get_queryset()
        if trace := request.query_params.get("trace"):
            rows = rows.filter(trace=trace)
        if kind := request.query_params.get("kind"):
            rows = rows.filter(kind=kind)
        return self.page(rows)
