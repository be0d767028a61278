"""A dry run: what would become of a mail to an address, asked of its hosts, sending nothing."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hostmail.api.base import Resource, Strict
from mailcore.services import outbound


class ProbeAsked(Strict):
    address = serializers.CharField(max_length=320)
    tenant = serializers.SlugField(
        required=False, help_text="Slug; needed when you run several organisations"
    )


class ProbedHost(serializers.Serializer[Any]):
    host = serializers.CharField()
    address = serializers.CharField()
    policy = serializers.CharField(help_text="What is demanded of TLS: opportunistic, mta-sts ..., dane")
    tls = serializers.CharField(help_text="Version and cipher; empty without TLS")
    verdict = serializers.CharField(help_text="What the host's certificate is worth")
    code = serializers.IntegerField()
    status = serializers.CharField()
    reply = serializers.CharField()


class ProbeShown(serializers.Serializer[Any]):
    address = serializers.CharField()
    would = serializers.CharField(help_text="here, relayed, deferred or bounced")
    sentences = serializers.ListField(child=serializers.CharField())
    hosts = ProbedHost(many=True)


class Probes(Resource):
    """Ask what would become of a mail; nothing is sent or kept."""

    serializer_class = ProbeShown

    @extend_schema(request=ProbeAsked, responses={200: ProbeShown})
    def create(self, request: Request) -> Response:
        asked = self.valid(ProbeAsked)
        tenant = self.tenant_for(asked.get("tenant"))
        return Response(ProbeShown(outbound.probe_for(tenant, asked["address"])).data)
