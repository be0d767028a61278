"""Domains: claim, records to publish, check, zone file, remove."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hostmail.api.base import Shows, Strict
from hostmail.api.v1.reports import Days, ReportsShown, shown
from mailcore.models import Domain
from mailcore.services import dns_records, domains, sts_hosting


class RecordShown(serializers.Serializer[Any]):
    """One record to publish, and what the last check found of it."""

    key = serializers.CharField()
    purpose = serializers.CharField()
    host = serializers.CharField()
    name = serializers.CharField()
    type = serializers.CharField()
    value = serializers.CharField()
    ttl = serializers.IntegerField()
    required = serializers.BooleanField()  # type: ignore[assignment]
    explanation = serializers.CharField()
    state = serializers.CharField(help_text="ok, missing, differs, several, later, or unchecked")
    seen = serializers.ListField(child=serializers.CharField())
    fix = serializers.CharField()


def records_of(domain: Domain) -> list[dict[str, Any]]:
    """Records with their findings, as the page shows them too."""
    shown = []
    for record in dns_records.required_records(domain):
        found = domain.findings.get(record.key, {})
        shown.append(
            {name: getattr(record, name) for name in record.__slots__}
            | {
                "state": found.get("state", "unchecked"),
                "seen": found.get("seen", []),
                "fix": found.get("fix", ""),
            }
        )
    return shown


class DomainShown(serializers.ModelSerializer[Domain]):
    id = serializers.CharField(source="public_id", read_only=True)
    tenant = serializers.CharField(source="tenant.slug", read_only=True)
    records = serializers.SerializerMethodField()

    class Meta:
        model = Domain
        fields = (
            "id",
            "name",
            "tenant",
            "state",
            "dmarc_policy",
            "newcomers",
            "sts_mode",
            "verified_at",
            "checked_at",
            "check_at",
            "created_at",
            "records",
        )

    @extend_schema_field(RecordShown(many=True))
    def get_records(self, domain: Domain) -> list[dict[str, Any]]:
        return records_of(domain)


class DomainAdded(Strict):
    name = serializers.CharField(max_length=253)
    tenant = serializers.SlugField(
        required=False, help_text="Slug; needed when you run several organisations"
    )


class DomainChanged(Strict):
    dmarc_policy = serializers.ChoiceField(
        Domain.DMARCPolicy.choices,
        required=False,
        help_text="What becomes of mail to the domain that fails DMARC, when its sender asks for something",
    )
    newcomers = serializers.ChoiceField(
        Domain.Newcomers.choices,
        required=False,
        help_text="How mail of senders who never wrote before is met; `greylist` asks them to come again",
    )
    sts_mode = serializers.ChoiceField(
        Domain.STSMode.choices,
        required=False,
        help_text="What the domain's MTA-STS policy, which we publish, demands of hosts that write to it",
    )


class Domains(Shows):
    """Domains of your organisations."""

    serializer_class = DomainShown

    def get_queryset(self) -> QuerySet[Domain]:
        return self.mine(Domain.objects.select_related("tenant").prefetch_related("dkim_keys"))

    @extend_schema(request=DomainAdded, responses={201: DomainShown})
    def create(self, request: Request) -> Response:
        asked = self.valid(DomainAdded)
        tenant = self.tenant_for(asked.get("tenant"))
        return self.answer(domains.add(tenant, asked["name"], actor=self.person), 201)

    @extend_schema(request=DomainChanged, responses={200: DomainShown})
    def partial_update(self, request: Request, public_id: str) -> Response:
        domain: Domain = self.get_object()
        asked = self.valid(DomainChanged)
        if "dmarc_policy" in asked:
            domains.set_dmarc_policy(domain, asked["dmarc_policy"], actor=self.person)
        if "newcomers" in asked:
            domains.set_newcomers(domain, asked["newcomers"], actor=self.person)
        if "sts_mode" in asked:
            sts_hosting.set_mode(domain, asked["sts_mode"], actor=self.person)
        return self.answer(domain)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, public_id: str) -> Response:
        domains.remove(self.get_object(), actor=self.person)
        return Response(status=204)

    @extend_schema(request=None, responses={202: DomainShown})
    @action(detail=True, methods=["post"])
    def check(self, request: Request, public_id: str) -> Response:
        """Have DNS looked at now, in the background."""
        domain: Domain = self.get_object()
        domains.check_now(domain)
        domain.refresh_from_db()
        return self.answer(domain, 202)

    @extend_schema(responses={(200, "text/plain"): OpenApiTypes.STR})
    @action(detail=True)
    def zone(self, request: Request, public_id: str) -> HttpResponse:
        """The records as lines of a zone file."""
        return HttpResponse(
            dns_records.zone_text(self.get_object()), content_type="text/plain; charset=utf-8"
        )

    @extend_schema(parameters=[Days], responses={200: ReportsShown})
    @action(detail=True)
    def reports(self, request: Request, public_id: str) -> Response:
        """What other hosts report of the last days: who sends in the domain's name, and how TLS fares."""
        domain: Domain = self.get_object()
        return Response(shown(domain, Days(data=request.query_params)))
