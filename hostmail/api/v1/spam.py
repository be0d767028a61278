"""Unwanted mail: thresholds of organisations and mailboxes, their senders, and the quarantine."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hostmail.api.base import Pages, Resource, Shows, Strict
from mailcore import limits
from mailcore.models import Mailbox, Quarantined, SenderRule, SpamPolicy, Tenant
from mailcore.services import quarantine, sender_rules, spam


def _number() -> serializers.FloatField:
    return serializers.FloatField(
        min_value=0, max_value=limits.SPAM_SCORE, required=False, allow_null=True,
        help_text="0 is never, null is as the level above has it",
    )  # fmt: skip


class ThresholdsGiven(Strict):
    junk = _number()
    quarantine = _number()
    refuse = _number()


class InForce(serializers.Serializer[Any]):
    junk = serializers.FloatField()
    quarantine = serializers.FloatField()
    refuse = serializers.FloatField()


class ThresholdsShown(ThresholdsGiven):
    in_force = InForce()


def _shown(policy: SpamPolicy) -> Response:
    place = policy.tenant_id, policy.mailbox_id
    own = {name: getattr(policy, name) for name in spam.NAMES}
    return Response(ThresholdsShown({**own, "in_force": spam.thresholds([place])[place]}).data)


class OfTenant(Resource):
    """What Tenants can say of unwanted mail."""

    @extend_schema(responses=ThresholdsShown)
    @action(detail=True, methods=["get"])
    def spam(self, request: Request, public_id: str) -> Response:
        """From which spam scores on what happens to mail."""
        tenant: Tenant = self.get_object()
        return _shown(spam.of_tenant(tenant))

    @extend_schema(request=ThresholdsGiven, responses=ThresholdsShown)
    @spam.mapping.patch
    def set_spam(self, request: Request, public_id: str) -> Response:
        """Change that."""
        tenant: Tenant = self.get_object()
        asked = self.valid(ThresholdsGiven)
        return _shown(spam.set_thresholds(tenant, None, actor=self.person, **asked))


class SenderShown(serializers.ModelSerializer[SenderRule]):
    class Meta:
        model = SenderRule
        fields = ("who", "is_wanted", "created_at")


class SenderGiven(Strict):
    who = serializers.CharField(max_length=320, help_text="An address, or @example.org for a domain")
    is_wanted = serializers.BooleanField(
        help_text="true: to the inbox, if it is proven to be theirs; false: to Junk"
    )


class OfMailbox(Resource):
    """What Mailboxes can say of unwanted mail."""

    @extend_schema(responses=ThresholdsShown)
    @action(detail=True, methods=["get"])
    def spam(self, request: Request, public_id: str) -> Response:
        """From which spam scores on what happens to its mail."""
        mailbox: Mailbox = self.get_object()
        return _shown(spam.of_mailbox(mailbox))

    @extend_schema(request=ThresholdsGiven, responses=ThresholdsShown)
    @spam.mapping.patch
    def set_spam(self, request: Request, public_id: str) -> Response:
        """Change that."""
        mailbox: Mailbox = self.get_object()
        asked = self.valid(ThresholdsGiven)
        return _shown(spam.set_thresholds(mailbox.tenant, mailbox, actor=self.person, **asked))

    @extend_schema(responses=SenderShown(many=True), filters=False)
    @action(detail=True, methods=["get"], pagination_class=None)
    def senders(self, request: Request, public_id: str) -> Response:
        """Whom it always wants to hear from, and whom never."""
        rules = SenderRule.objects.filter(mailbox=self.get_object())
        return Response(SenderShown(rules, many=True).data)

    @extend_schema(request=SenderGiven, responses={201: SenderShown})
    @senders.mapping.post
    def say(self, request: Request, public_id: str) -> Response:
        """Say so of a sender; what was said of them before is replaced."""
        mailbox: Mailbox = self.get_object()
        asked = self.valid(SenderGiven)
        rule = sender_rules.add(mailbox, asked["who"], is_wanted=asked["is_wanted"], actor=self.person)
        return Response(SenderShown(rule).data, status=201)

    @extend_schema(parameters=[OpenApiParameter("who", required=True)], responses={204: None})
    @senders.mapping.delete
    def unsay(self, request: Request, public_id: str) -> Response:
        """Take back what was said of a sender."""
        mailbox: Mailbox = self.get_object()
        sender_rules.remove(mailbox, request.query_params.get("who", ""), actor=self.person)
        return Response(status=204)


class ReasonShown(serializers.Serializer[Any]):
    name = serializers.CharField()
    points = serializers.FloatField()
    text = serializers.CharField()


class QuarantinedShown(serializers.ModelSerializer[Quarantined]):
    id = serializers.CharField(source="public_id", read_only=True)
    tenant = serializers.CharField(source="tenant.slug", read_only=True)
    mailbox = serializers.CharField(source="mailbox.public_id", read_only=True)
    reasons = serializers.SerializerMethodField()

    class Meta:
        model = Quarantined
        fields = (
            "id", "mailbox", "tenant", "recipient", "sender", "author", "subject", "octets", "score",
            "reasons", "trace", "at", "expires_at",
        )  # fmt: skip

    @extend_schema_field(ReasonShown(many=True))
    def get_reasons(self, entry: Quarantined) -> list[dict[str, Any]]:
        return [{"name": name, "points": points, "text": text} for name, points, text in entry.reasons]


class Release(Strict):
    allow_sender = serializers.BooleanField(required=False, help_text="And want its author from now on")


class ReleasedShown(serializers.Serializer[Any]):
    uid = serializers.IntegerField()
    uidvalidity = serializers.IntegerField()


class Newest(Pages):
    ordering = ("-at", "-pk")


class Quarantine(Shows):
    """Mail kept apart from the folders of mailboxes of your organisations."""

    serializer_class = QuarantinedShown
    pagination_class = Newest

    def get_queryset(self) -> QuerySet[Quarantined]:
        return self.mine(Quarantined.objects.select_related("tenant", "mailbox"))

    @extend_schema(parameters=[OpenApiParameter("mailbox")])
    def list(self, request: Request) -> Response:
        rows = self.get_queryset()
        if mailbox := request.query_params.get("mailbox"):
            rows = rows.filter(mailbox__public_id=mailbox)
        return self.page(rows)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, public_id: str) -> Response:
        """Delete it for good."""
        quarantine.discard(self.get_object(), actor=self.person)
        return Response(status=204)

    @extend_schema(request=Release, responses=ReleasedShown)
    @action(detail=True, methods=["post"])
    def release(self, request: Request, public_id: str) -> Response:
        """File it in the inbox after all; where it lies there."""
        entry: Quarantined = self.get_object()
        asked = self.valid(Release)
        filed = quarantine.release(entry, allow=asked.get("allow_sender", False), actor=self.person)
        return Response(ReleasedShown(filed).data)
