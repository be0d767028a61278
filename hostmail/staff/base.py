"""What every page of the staff admin has in common: staff may look, services do the changing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import ngettext
from unfold.admin import ModelAdmin, TabularInline

from mailcore.errors import MailError
from mailcore.models import User


def actor(request: HttpRequest) -> User:
    """The member of staff who acts; the admin lets nobody else this far."""
    assert isinstance(request.user, User)
    return request.user


class StaffAdmin(ModelAdmin):  # type: ignore[misc]
    """Read-only unless a subclass names fields and gives save_model a service to call."""

    editable: ClassVar[tuple[str, ...]] = ()
    list_per_page = 50
    show_full_result_count = False  # counting a large table for a page number is not worth it
    actions_on_top = True

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and request.user.is_staff)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        # Without an explicit list of fields all of the model are shown, and none can be typed into.
        names = self.fields or [field.name for field in self.model._meta.fields if field.name != "id"]
        return [str(name) for name in names if name not in self.editable]

    def run(
        self, request: HttpRequest, rows: Iterable[Any], verb: Callable[[Any], object], done: str
    ) -> None:
        """Call a service for each chosen row and say how it went; one refusal does not stop the rest."""
        count = 0
        for row in rows:
            try:
                verb(row)
                count += 1
            except MailError as error:
                self.message_user(request, f"{row}: {error.public}", messages.ERROR)
        if count:
            text = ngettext("%(count)d %(done)s.", "%(count)d %(done)s.", count)
            self.message_user(request, text % {"count": count, "done": done}, messages.SUCCESS)


class ReadOnlyInline(TabularInline):  # type: ignore[misc]
    """Rows that belong to another, to look at."""

    extra = 0
    can_delete = False
    show_change_link = False

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return bool(request.user.is_staff)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> list[str]:
        return [str(name) for name in self.fields or ()]
