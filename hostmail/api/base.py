"""What every resource has in common: pages, outside ids, refusal of unknown fields, rate headers."""

from __future__ import annotations

from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import Http404
from rest_framework import serializers
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from mailcore import limits
from mailcore.errors import TenantSuspended
from mailcore.models import ApiToken, Role, Tenant, User

M = TypeVar("M", bound=Model)


class Pages(CursorPagination):
    """Newest first; a page_size beyond the cap is the cap."""

    page_size = 50
    max_page_size = 200
    page_size_query_param = "page_size"
    ordering = ("-created_at", "-pk")


class Strict(serializers.Serializer[Any]):
    """Refuses fields it does not know: a misspelt one would otherwise be silently without effect."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, dict) and (unknown := set(data) - set(self.fields)):
            raise serializers.ValidationError({name: ["There is no such field."] for name in sorted(unknown)})
        return super().to_internal_value(data)


class Resource(GenericViewSet[Any]):
    """A view set whose rows all come through mine()."""

    lookup_field = "public_id"
    lookup_value_regex = "[a-z2-7]{16}"
    pagination_class = Pages

    @property
    def person(self) -> User:
        assert isinstance(self.request.user, User)
        return self.request.user

    def tenants(self) -> QuerySet[Tenant]:
        """The organisations this request may act for: those its person runs, and only the token's own."""
        found = Tenant.objects.filter(
            memberships__user=self.person, memberships__role__in=(Role.OWNER, Role.ADMIN)
        )
        token = self.request.auth
        if isinstance(token, ApiToken) and token.tenant_id is not None:
            found = found.filter(pk=token.tenant_id)
        return found

    def mine(self, rows: QuerySet[M], field: str = "tenant") -> QuerySet[M]:
        """Rows of these organisations."""
        return rows.filter(**{f"{field}__in": self.tenants().values("pk")})

    def tenant_for(self, slug: str | None) -> Tenant:
        """The organisation that something new belongs to: named, or the only one there is."""
        found = self.tenants()
        if slug:
            found = found.filter(slug=slug)
        chosen = list(found[:2])
        if not chosen:
            raise Http404
        if len(chosen) > 1:
            raise serializers.ValidationError({"tenant": ["Say which organisation: you run several."]})
        if chosen[0].is_suspended:
            raise TenantSuspended("This organisation is suspended")
        return chosen[0]

    def valid(self, serializer: type[serializers.Serializer[Any]], **more: Any) -> dict[str, Any]:
        """The checked body of this request."""
        checked = serializer(data=self.request.data, **more)
        checked.is_valid(raise_exception=True)
        values: dict[str, Any] = checked.validated_data
        return values

    def answer(self, row: object, status: int = 200) -> Response:
        return Response(self.get_serializer(row).data, status=status)

    def page(
        self, rows: QuerySet[M], serializer: type[serializers.Serializer[Any]] | None = None
    ) -> Response:
        """One page of rows."""
        shown = self.paginate_queryset(rows)
        made = serializer(shown, many=True) if serializer else self.get_serializer(shown, many=True)
        return self.get_paginated_response(made.data)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Response:
        answer: Response = super().finalize_response(request, response, *args, **kwargs)
        left = getattr(self.request, "rate_left", None)
        if left is not None:
            answer.headers["RateLimit-Limit"] = str(limits.API_REQUESTS)
            answer.headers["RateLimit-Remaining"] = str(left)
        answer.headers["Cache-Control"] = "no-store"
        return answer


class Lists(Resource):
    """A resource that can be listed."""

    def list(self, request: Request) -> Response:
        return self.page(self.get_queryset())


class Shows(Lists):
    """A resource whose rows can be looked at one by one, too."""

    def retrieve(self, request: Request, public_id: str) -> Response:
        return self.answer(self.get_object())
