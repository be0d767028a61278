"""Whose page it is: every dashboard view gets its tenant here, or the visitor gets 404."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django import forms
from django.contrib.auth.decorators import login_required
from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext as _

from mailcore.errors import MailError
from mailcore.models import Role, Tenant, User

P = ParamSpec("P")
Row = TypeVar("Row", bound=Model)
PAGE_ROWS = 50
OTHER_TENANTS = 50  # in the menu that leads to them


def administered(user: User) -> QuerySet[Tenant]:
    """The tenants that user helps run."""
    found = Tenant.objects.filter(memberships__user=user, memberships__role__in=(Role.OWNER, Role.ADMIN))
    return found.exclude(state=Tenant.State.CLOSING)


def tenant_for(request: HttpRequest, slug: str) -> Tenant:
    """The tenant of that short name if the visitor helps run it. Raises Http404."""
    tenant = administered(person(request)).filter(slug=slug).first()
    if tenant is None:
        raise Http404
    return tenant


def person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def for_admins(
    view: Callable[Concatenate[HttpRequest, Tenant, P], HttpResponse],
) -> Callable[..., HttpResponse]:
    """Give a view its tenant instead of the slug: signed in, owner or administrator, not suspended."""

    @login_required
    @wraps(view)
    def at_tenant(request: HttpRequest, slug: str, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
        tenant = tenant_for(request, slug)
        others = administered(person(request)).exclude(pk=tenant.pk)
        request.other_tenants = SimpleLazyObject(lambda: list(others[:OTHER_TENANTS]))  # type: ignore[attr-defined]
        if tenant.is_suspended:
            return render(request, "web/suspended.html", {"tenant": tenant}, status=403)
        return view(request, tenant, *args, **kwargs)

    return at_tenant


def try_form(form: forms.Form, work: Callable[[dict[str, Any]], Any]) -> Any:
    """What work makes of the valid form; None when the form, now with errors, has to be shown again.

    work returns something true.
    """
    if not form.is_valid():
        return None
    try:
        return work(form.cleaned_data)
    except MailError as error:
        form.add_error(None, error.public)
        return None


def form_page(
    request: HttpRequest, tenant: Tenant, form: forms.Form, *, title: str, label: str, back: str, **more: Any
) -> HttpResponse:
    context = {"tenant": tenant, "form": form, "title": title, "label": label, "back": back, **more}
    return render(request, "web/form.html", context, status=422 if form.errors else 200)


def confirm_page(
    request: HttpRequest, tenant: Tenant, *, title: str, text: str, label: str, back: str, error: str = ""
) -> HttpResponse:
    context = {
        "tenant": tenant, "title": title, "text": " ".join(filter(None, (error, text))), "label": label,
        "back": back, "kind": "danger", "action": request.path,
    }  # fmt: skip
    return render(request, "web/confirm.html", context, status=422 if error else 200)


def newest_first(request: HttpRequest, rows: QuerySet[Row]) -> tuple[list[Row], str, str]:
    """The rows that ?before= asks for by id, and the links to the first and to the following ones.

    As fast on the last page as on the first.
    """
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 19:
        rows = rows.filter(pk__lt=int(before))
    found = list(rows.order_by("-pk")[: PAGE_ROWS + 1])
    first = following = ""
    query = request.GET.copy()
    if before:
        del query["before"]
        first = f"{request.path}?{query.urlencode()}"
    if len(found) > PAGE_ROWS:
        query["before"] = str(found[PAGE_ROWS - 1].pk)
        following = f"?{query.urlencode()}"
    return found[:PAGE_ROWS], first, following


def page_of(request: HttpRequest, rows: QuerySet[Any]) -> tuple[Page[Any], dict[str, str]]:
    """The page that ?page= asks for, and what components/_pager.html wants."""
    page = Paginator(rows, PAGE_ROWS).get_page(request.GET.get("page"))

    def link(number: int) -> str:
        query = request.GET.copy()
        query["page"] = str(number)
        return f"?{query.urlencode()}"

    pager = {
        "previous": link(page.previous_page_number()) if page.has_previous() else "",
        "next": link(page.next_page_number()) if page.has_next() else "",
        "text": _("%(first)s-%(last)s of %(count)s")
        % {"first": page.start_index(), "last": page.end_index(), "count": page.paginator.count},
    }
    return page, pager
