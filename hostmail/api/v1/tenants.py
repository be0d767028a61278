"""Organisations one helps run, and their members."""

from __future__ import annotations

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hostmail.api.base import Shows, Strict
from hostmail.api.v1.spam import OfTenant
from mailcore.models import Membership, Tenant
from mailcore.services import tenants


class TenantShown(serializers.ModelSerializer[Tenant]):
    id = serializers.CharField(source="public_id", read_only=True)

    class Meta:
        model = Tenant
        fields = ("id", "slug", "name", "state", "retention_days", "event_days", "created_at")
        read_only_fields = ("slug", "state", "retention_days", "event_days", "created_at")


class TenantChanged(Strict):
    name = serializers.CharField(max_length=120)


class Tenants(OfTenant, Shows):
    """Organisations."""

    serializer_class = TenantShown

    def get_queryset(self) -> QuerySet[Tenant]:
        return self.tenants() if self.request else Tenant.objects.none()

    def partial_update(self, request: Request, public_id: str) -> Response:
        tenant: Tenant = self.get_object()
        tenants.rename(tenant, self.valid(TenantChanged)["name"], actor=self.person)
        tenant.refresh_from_db()
        return self.answer(tenant)


class MemberShown(serializers.ModelSerializer[Membership]):
    id = serializers.CharField(source="user.public_id", read_only=True)
    email = serializers.CharField(source="user.email", read_only=True)
    name = serializers.CharField(source="user.name", read_only=True)
    tenant = serializers.CharField(source="tenant.slug", read_only=True)

    class Meta:
        model = Membership
        fields = ("id", "email", "name", "tenant", "role", "created_at")


class Members(Shows):
    """People of an organisation and their roles."""

    serializer_class = MemberShown
    lookup_field = "user__public_id"
    lookup_url_kwarg = "public_id"

    def get_queryset(self) -> QuerySet[Membership]:
        return self.mine(Membership.objects.select_related("user", "tenant"))
