"""Aliases: addresses that lead to others, here or outside; "@example.org" is a domain's catch-all."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hostmail import confirmations
from hostmail.api.base import Shows, Strict
from mailcore.models import Address
from mailcore.services import addresses


class AliasShown(serializers.ModelSerializer[Address]):
    id = serializers.CharField(source="public_id", read_only=True)
    tenant = serializers.CharField(source="tenant.slug", read_only=True)
    address = serializers.CharField(source="__str__", read_only=True)
    targets = serializers.SerializerMethodField()
    unconfirmed = serializers.SerializerMethodField(
        help_text="Targets outside that have not agreed yet: nothing goes there"
    )

    class Meta:
        model = Address
        fields = (
            "id", "address", "targets", "unconfirmed", "description", "is_enabled", "tenant", "created_at",
        )  # fmt: skip

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_targets(self, alias: Address) -> list[str]:
        return [row.target for row in alias.targets.all()]

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_unconfirmed(self, alias: Address) -> list[str]:
        return [row.target for row in alias.targets.all() if row.is_waiting]


class AliasAdded(Strict):
    address = serializers.CharField(max_length=320)
    targets = serializers.ListField(child=serializers.CharField(max_length=320), min_length=1)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    tenant = serializers.SlugField(
        required=False, help_text="Slug; needed when you run several organisations"
    )


class AliasChanged(Strict):
    targets = serializers.ListField(child=serializers.CharField(max_length=320), min_length=1, required=False)
    description = serializers.CharField(max_length=200, required=False, allow_blank=True)
    is_enabled = serializers.BooleanField(required=False)


class Aliases(Shows):
    """Aliases of your organisations."""

    serializer_class = AliasShown

    def get_queryset(self) -> QuerySet[Address]:
        rows = Address.objects.filter(mailbox=None).select_related("tenant", "domain")
        return self.mine(rows).prefetch_related("targets")

    @extend_schema(request=AliasAdded, responses={201: AliasShown})
    def create(self, request: Request) -> Response:
        asked = self.valid(AliasAdded)
        made = addresses.add_alias(
            self.tenant_for(asked.get("tenant")),
            asked["address"],
            asked["targets"],
            description=asked.get("description", ""),
            asks=True,
            actor=self.person,
        )
        confirmations.ask(made)
        return self.answer(self.get_queryset().get(pk=made.pk), 201)

    @extend_schema(request=AliasChanged, responses=AliasShown)
    def partial_update(self, request: Request, public_id: str) -> Response:
        alias: Address = self.get_object()
        asked = self.valid(AliasChanged)
        if "targets" in asked:
            addresses.set_targets(alias, asked["targets"], asks=True, actor=self.person)
            confirmations.ask(alias)
        if "description" in asked:
            addresses.describe(alias, asked["description"], actor=self.person)
        if "is_enabled" in asked:
            change = addresses.enable if asked["is_enabled"] else addresses.disable
            change(alias, actor=self.person)
        return self.answer(self.get_queryset().get(pk=alias.pk))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, public_id: str) -> Response:
        addresses.remove(self.get_object(), actor=self.person)
        return Response(status=204)
