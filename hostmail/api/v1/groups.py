"""Groups: lists of mailboxes that folders are shared with as one."""

from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from hostmail.api.base import Shows, Strict
from mailcore import limits
from mailcore.models import MailboxGroup
from mailcore.services import groups


class GroupShown(serializers.ModelSerializer[MailboxGroup]):
    id = serializers.CharField(source="public_id", read_only=True)
    tenant = serializers.CharField(source="tenant.slug", read_only=True)
    members = serializers.SerializerMethodField()

    class Meta:
        model = MailboxGroup
        fields = ("id", "name", "members", "tenant", "created_at")

    @extend_schema_field(serializers.ListField(child=serializers.CharField()))
    def get_members(self, group: MailboxGroup) -> list[str]:
        return groups.member_addresses(group)


class GroupAdded(Strict):
    name = serializers.CharField(max_length=limits.GROUP_NAME_CHARS)
    members = serializers.ListField(
        child=serializers.CharField(max_length=320), max_length=limits.GROUP_MEMBERS, required=False
    )
    tenant = serializers.SlugField(
        required=False, help_text="Slug; needed when you run several organisations"
    )


class GroupChanged(Strict):
    name = serializers.CharField(max_length=limits.GROUP_NAME_CHARS, required=False)
    members = serializers.ListField(
        child=serializers.CharField(max_length=320), max_length=limits.GROUP_MEMBERS, required=False
    )


class Groups(Shows):
    """Groups of mailboxes of your organisations."""

    serializer_class = GroupShown

    def get_queryset(self) -> QuerySet[MailboxGroup]:
        return self.mine(MailboxGroup.objects.select_related("tenant"))

    @extend_schema(request=GroupAdded, responses={201: GroupShown})
    def create(self, request: Request) -> Response:
        asked = self.valid(GroupAdded)
        tenant = self.tenant_for(asked.get("tenant"))
        made = groups.create(tenant, asked["name"], asked.get("members", []), actor=self.person)
        return self.answer(made, 201)

    @extend_schema(request=GroupChanged, responses=GroupShown)
    def partial_update(self, request: Request, public_id: str) -> Response:
        group: MailboxGroup = self.get_object()
        asked = self.valid(GroupChanged)
        groups.change(group, name=asked.get("name"), members=asked.get("members"), actor=self.person)
        return self.answer(group)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, public_id: str) -> Response:
        groups.remove(self.get_object(), actor=self.person)
        return Response(status=204)
