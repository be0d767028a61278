"""The suppression list: addresses that mail of an organisation does not go to."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hostmail.api.base import Pages, Shows, Strict
from mailcore.models import Suppression
from mailcore.services import suppressions


class SuppressionShown(serializers.ModelSerializer[Suppression]):
    id = serializers.CharField(source="public_id", read_only=True)
    tenant = serializers.CharField(source="tenant.slug", read_only=True)

    class Meta:
        model = Suppression
        fields = ("id", "address", "reason", "status", "words", "since", "expires_at", "tenant")


class SuppressionAdded(Strict):
    address = serializers.CharField(max_length=320)
    words = serializers.CharField(max_length=500, required=False, allow_blank=True, help_text="A note")
    expires_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="Left out: until it is deleted"
    )
    tenant = serializers.SlugField(
        required=False, help_text="Slug; needed when you run several organisations"
    )


class Newest(Pages):
    ordering = ("-since", "-pk")


class Suppressions(Shows):
    """Addresses that mail of your organisations does not go to."""

    serializer_class = SuppressionShown
    pagination_class = Newest

    def get_queryset(self) -> QuerySet[Suppression]:
        return self.mine(Suppression.objects.select_related("tenant"))

    @extend_schema(parameters=[OpenApiParameter("address")])
    def list(self, request: Request) -> Response:
        rows = self.get_queryset()
        if address := request.query_params.get("address"):
            rows = rows.filter(address=address.lower())
        return self.page(rows)

    @extend_schema(request=SuppressionAdded, responses={201: SuppressionShown})
    def create(self, request: Request) -> Response:
        asked = self.valid(SuppressionAdded)
        made = suppressions.add(
            self.tenant_for(asked.get("tenant")),
            asked["address"],
            words=asked.get("words", ""),
            expires_at=asked.get("expires_at"),
            actor=self.person,
        )
        return self.answer(made, 201)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, public_id: str) -> Response:
        suppressions.remove(self.get_object(), actor=self.person)
        return Response(status=204)
