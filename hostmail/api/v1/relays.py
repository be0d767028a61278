"""Relays: smart hosts that take the mail of your organisations, or of one of its domains."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hostmail.api.base import Shows, Strict
from mailcore import limits
from mailcore.models import Relay
from mailcore.services import relays


class RelayShown(serializers.ModelSerializer[Relay]):
    id = serializers.CharField(source="public_id", read_only=True)
    tenant = serializers.CharField(source="tenant.slug", read_only=True)
    domain = serializers.CharField(source="domain.name", read_only=True, allow_null=True, default=None)

    class Meta:
        model = Relay
        fields = (
            "id", "host", "port", "domain", "tls", "user", "after_attempts", "is_enabled", "tenant",
            "created_at",
        )  # fmt: skip


class _Values(Strict):
    port = serializers.IntegerField(min_value=1, max_value=65535, required=False)
    tls = serializers.ChoiceField(Relay.TLS.choices, required=False)
    user = serializers.CharField(
        max_length=limits.RELAY_SECRET_OCTETS, allow_blank=True, trim_whitespace=False, required=False
    )
    password = serializers.CharField(
        max_length=limits.RELAY_SECRET_OCTETS, allow_blank=True, trim_whitespace=False, required=False,
        help_text="Never shown again; needed anew with a new host, port, user or demand for TLS",
    )  # fmt: skip
    after_attempts = serializers.IntegerField(
        min_value=0, max_value=limits.RELAY_ATTEMPTS, required=False,
        help_text="Takes only mail that has failed so often by other ways; 0 takes all",
    )  # fmt: skip


class RelayAdded(_Values):
    host = serializers.CharField(max_length=253)
    domain = serializers.CharField(
        max_length=253, required=False, help_text="Name of a domain of yours: only mail that leaves from it"
    )
    tenant = serializers.SlugField(
        required=False, help_text="Slug; needed when you run several organisations"
    )


class RelayChanged(_Values):
    host = serializers.CharField(max_length=253, required=False)
    is_enabled = serializers.BooleanField(required=False)


class RelayTest(Strict):
    recipient = serializers.CharField(
        max_length=320, required=False, help_text="Whom a mail is offered for; nothing is sent"
    )


class ReplyShown(serializers.Serializer[Any]):
    phase = serializers.CharField()
    code = serializers.IntegerField()
    text = serializers.CharField()


class RelayTested(serializers.Serializer[Any]):
    is_fine = serializers.BooleanField()
    address = serializers.CharField()
    tls_version = serializers.CharField()
    tls_verdict = serializers.CharField()
    said = serializers.CharField()
    replies = ReplyShown(many=True)


class Relays(Shows):
    """Relays of your organisations. Whoever runs the service may keep them to themselves."""

    serializer_class = RelayShown

    def get_queryset(self) -> QuerySet[Relay]:
        return self.mine(Relay.objects.select_related("tenant", "domain"))

    @extend_schema(request=RelayAdded, responses={201: RelayShown})
    def create(self, request: Request) -> Response:
        asked = self.valid(RelayAdded)
        relays.check_customers_may()
        tenant = self.tenant_for(asked.pop("tenant", None))
        name, domain = asked.pop("domain", ""), None
        if name:
            domain = get_object_or_404(tenant.domains.all(), name=name.lower())
        return self.answer(relays.add(tenant, domain=domain, **asked, actor=self.person), 201)

    @extend_schema(request=RelayChanged, responses=RelayShown)
    def partial_update(self, request: Request, public_id: str) -> Response:
        relays.check_customers_may()
        relay: Relay = self.get_object()
        return self.answer(relays.change(relay, **self.valid(RelayChanged), actor=self.person))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, public_id: str) -> Response:
        relays.remove(self.get_object(), actor=self.person)
        return Response(status=204)

    @extend_schema(request=RelayTest, responses=RelayTested)
    @action(detail=True, methods=["post"])
    def test(self, request: Request, public_id: str) -> Response:
        """Connect, protect, sign in and offer a mail, of which nothing is sent."""
        relays.check_customers_may()
        relay: Relay = self.get_object()
        asked = self.valid(RelayTest)
        found = relays.try_out(relay, recipient=asked.get("recipient", ""), actor=self.person)
        return Response(RelayTested(asdict(found)).data)
