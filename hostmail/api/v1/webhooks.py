"""Webhooks: what happens to your mail, posted to your own programs."""

from __future__ import annotations

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from hostmail.api.base import Shows, Strict
from mailcore import limits
from mailcore.models import Webhook, WebhookPost
from mailcore.services import webhooks


class WebhookShown(serializers.ModelSerializer[Webhook]):
    id = serializers.CharField(source="public_id", read_only=True)
    tenant = serializers.CharField(source="tenant.slug", read_only=True)
    kinds = serializers.SerializerMethodField()

    class Meta:
        model = Webhook
        fields = ("id", "url", "kinds", "is_enabled", "tenant", "created_at")

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_kinds(self, webhook: Webhook) -> list[str]:
        return webhook.kinds.split()


class WebhookMade(WebhookShown):
    secret = serializers.CharField(read_only=True, help_text="Signs the posts; shown this once")

    class Meta(WebhookShown.Meta):
        fields = (*WebhookShown.Meta.fields, "secret")  # type: ignore[assignment]


class WebhookAdded(Strict):
    url = serializers.CharField(max_length=limits.WEBHOOK_URL_CHARS)
    kinds = serializers.ListField(child=serializers.ChoiceField(webhooks.KINDS), min_length=1)
    tenant = serializers.SlugField(
        required=False, help_text="Slug; needed when you run several organisations"
    )


class WebhookChanged(Strict):
    url = serializers.CharField(max_length=limits.WEBHOOK_URL_CHARS, required=False)
    kinds = serializers.ListField(child=serializers.ChoiceField(webhooks.KINDS), min_length=1, required=False)
    is_enabled = serializers.BooleanField(required=False)


class PostShown(serializers.ModelSerializer[WebhookPost]):
    id = serializers.CharField(source="public_id", read_only=True)

    class Meta:
        model = WebhookPost
        fields = (
            "id", "kind", "body", "state", "due_at", "attempt_count", "last_code", "last_words", "created_at",
            "finished_at",
        )  # fmt: skip


class Replay(Strict):
    post = serializers.CharField(max_length=24, help_text="Id of the post")


class Webhooks(Shows):
    """Webhooks of your organisations."""

    serializer_class = WebhookShown

    def get_queryset(self) -> QuerySet[Webhook]:
        return self.mine(Webhook.objects.select_related("tenant"))

    @extend_schema(request=WebhookAdded, responses={201: WebhookMade})
    def create(self, request: Request) -> Response:
        asked = self.valid(WebhookAdded)
        tenant = self.tenant_for(asked.get("tenant"))
        made, secret = webhooks.add(tenant, asked["url"], asked["kinds"], actor=self.person)
        return Response({**WebhookShown(made).data, "secret": secret}, status=201)

    @extend_schema(request=WebhookChanged, responses=WebhookShown)
    def partial_update(self, request: Request, public_id: str) -> Response:
        webhook: Webhook = self.get_object()
        return self.answer(webhooks.change(webhook, **self.valid(WebhookChanged), actor=self.person))

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, public_id: str) -> Response:
        webhooks.remove(self.get_object(), actor=self.person)
        return Response(status=204)

    @extend_schema(
        responses=PostShown(many=True), parameters=[OpenApiParameter("state", enum=WebhookPost.State.values)]
    )
    @action(detail=True)
    def posts(self, request: Request, public_id: str) -> Response:
        """What was posted there, newest first, and what the other side said."""
        webhook: Webhook = self.get_object()
        rows = webhook.posts.all()
        if state := request.query_params.get("state"):
            rows = rows.filter(state=state)
        return self.page(rows, PostShown)

    @extend_schema(request=Replay, responses=PostShown)
    @action(detail=True, methods=["post"])
    def replay(self, request: Request, public_id: str) -> Response:
        """Post once more."""
        webhook: Webhook = self.get_object()
        post = get_object_or_404(webhook.posts, public_id=self.valid(Replay)["post"])
        return Response(PostShown(webhooks.replay(post, actor=self.person)).data)

    @extend_schema(request=None, responses={202: PostShown})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, public_id: str) -> Response:
        """Post something that never happened."""
        return Response(PostShown(webhooks.try_out(self.get_object(), actor=self.person)).data, status=202)
