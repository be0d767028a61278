"""Members: who helps run an organisation, who is invited, and the page an invitation leads to."""

from __future__ import annotations

from typing import Any

from allauth.account.utils import perform_login
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.mail import EmailMessage
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from hostmail.web import place
from mailcore import limits
from mailcore.errors import MailError
from mailcore.models import Invitation, Membership, Role, Tenant, User
from mailcore.outside import clock
from mailcore.services import tenants


class InviteForm(forms.Form):
    email = forms.CharField(
        label=gettext_lazy("E-mail address"),
        max_length=254,
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(
        label=gettext_lazy("Role"), choices=Role.choices, initial=Role.ADMIN,
        help_text=gettext_lazy(
            "Owners and administrators run the organisation; members see nothing but their own mail."
        ),
    )  # fmt: skip


class RoleForm(forms.Form):
    role = forms.ChoiceField(label=gettext_lazy("Role"), choices=Role.choices)


class JoinForm(forms.Form):
    name = forms.CharField(
        label=gettext_lazy("Your name"), max_length=limits.NAME_CHARS,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )  # fmt: skip
    password = forms.CharField(
        label=gettext_lazy("Choose a password"), max_length=limits.PASSWORD_OCTETS, strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )  # fmt: skip


# --- Who is here -----------------------------------------------------------------------------------------


@place.for_admins
def listing(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    query = request.GET.get("q", "").strip()[:254]
    rows = Membership.objects.filter(tenant=tenant).select_related("user").order_by("user__email")
    if query:
        rows = rows.filter(user__email__icontains=query) | rows.filter(user__name__icontains=query)
    page, pager = place.page_of(request, rows)
    open_ones = Invitation.objects.filter(tenant=tenant, accepted_at=None).order_by("email")
    context = {
        "tenant": tenant, "query": query, "page": page, "pager": pager,
        "invitations": open_ones[: place.PAGE_ROWS], "now": clock.now(),
    }  # fmt: skip
    return render(request, "web/members.html", context)


def _member(tenant: Tenant, public_id: str) -> Membership:
    return get_object_or_404(
        Membership.objects.select_related("user"), tenant=tenant, user__public_id=public_id
    )


@place.for_admins
def change(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    membership = _member(tenant, public_id)
    form = RoleForm(request.POST or None, initial={"role": membership.role})
    back = reverse("web:members", args=[tenant.slug])
    actor = place.person(request)

    def work(data: dict[str, Any]) -> bool:
        tenants.set_role(membership, data["role"], actor=actor)
        return True

    if request.method == "POST" and place.try_form(form, work):
        messages.success(request, _("The role of %(who)s is changed.") % {"who": membership.user})
        return redirect(back)
    return place.form_page(
        request, tenant, form, title=membership.user.email, lead=membership.user.name,
        label=_("Change role"), back=back,
    )  # fmt: skip


@place.for_admins
def remove(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    membership = _member(tenant, public_id)
    email = membership.user.email
    error = ""
    if request.method == "POST":
        try:
            tenants.remove_member(membership, actor=place.person(request))
        except MailError as said:
            error = said.public
        else:
            messages.success(request, _("%(who)s is no member any more.") % {"who": email})
            return redirect("web:home" if email == place.person(request).email else reverse(
                "web:members", args=[tenant.slug]
            ))  # fmt: skip
    return place.confirm_page(
        request, tenant, error=error, title=_("Remove %(who)s?") % {"who": email},
        text=_("They lose their role, and access to shared mailboxes here."), label=_("Remove member"),
        back=reverse("web:members", args=[tenant.slug]),
    )  # fmt: skip


# --- Who is invited --------------------------------------------------------------------------------------


@place.for_admins
@never_cache
def invite(request: HttpRequest, tenant: Tenant) -> HttpResponse:
    """The link is mailed and shown once: mail may not reach the person yet."""
    form = InviteForm(request.POST or None)
    actor = place.person(request)
    if request.method == "POST" and (
        made := place.try_form(
            form, lambda data: tenants.invite(tenant, data["email"], data["role"], actor=actor)
        )
    ):
        invitation, token = made
        link = settings.HOSTMAIL_PUBLIC_URL + reverse("web:invitation", args=[token])
        context = {"tenant": tenant, "invitation": invitation, "link": link, "actor": actor}
        context["is_sent"] = _send(invitation, context)
        return render(request, "web/invited.html", context)
    return place.form_page(
        request, tenant, form, title=_("Invite somebody"), label=_("Invite"),
        back=reverse("web:members", args=[tenant.slug]),
    )  # fmt: skip


def _send(invitation: Invitation, context: dict[str, object]) -> bool:
    text = render_to_string("mail/invitation.txt", context)
    subject = _("Your invitation to %(name)s") % {"name": invitation.tenant.name}
    return bool(EmailMessage(subject, text, to=[invitation.email]).send(fail_silently=True))


@place.for_admins
@require_POST
def withdraw(request: HttpRequest, tenant: Tenant, pk: int) -> HttpResponse:
    invitation = get_object_or_404(Invitation, tenant=tenant, pk=pk, accepted_at=None)
    tenants.withdraw_invitation(invitation, actor=place.person(request))
    messages.success(request, _("The invitation is withdrawn; its link does nothing any more."))
    return redirect("web:members", tenant.slug)


# --- The page behind the link ----------------------------------------------------------------------------


@never_cache
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Who is signed in accepts; who has an account signs in first; anybody else makes one here."""
    found = tenants.find_invitation(token)
    context = {"invitation": found, "sign_in": f"{reverse('account_login')}?next={request.path}"}
    if request.user.is_authenticated:
        return render(request, "web/invitation.html", context)
    if User.objects.filter(email=found.email).exists():
        return render(request, "web/invitation.html", {**context, "has_account": True})
    form = JoinForm(request.POST or None)
    if request.method == "POST" and (
        made := place.try_form(form, lambda data: tenants.join(token, data["name"], data["password"]))
    ):
        membership, user = made
        answer: HttpResponse = perform_login(request, user, redirect_url=_home_of(membership))
        return answer
    return render(
        request, "web/invitation.html", {**context, "form": form}, status=422 if form.errors else 200
    )


@login_required
@require_POST
def accept(request: HttpRequest, token: str) -> HttpResponse:
    membership = tenants.accept_invitation(token, place.person(request))
    messages.success(request, _("Welcome to %(name)s.") % {"name": membership.tenant.name})
    return redirect(_home_of(membership))


def _home_of(membership: Membership) -> str:
    if membership.may_administer:
        return reverse("web:overview", args=[membership.tenant.slug])
    return reverse("web:home")


routes = [
    path("o/<slug:slug>/members/", listing, name="members"),
    path("o/<slug:slug>/members/invite/", invite, name="member_invite"),
    path("o/<slug:slug>/members/invitations/<int:pk>/withdraw/", withdraw, name="invitation_withdraw"),
    path("o/<slug:slug>/members/<slug:public_id>/", change, name="member"),
    path("o/<slug:slug>/members/<slug:public_id>/remove/", remove, name="member_remove"),
    path("invitations/<str:token>/", invitation, name="invitation"),
    path("invitations/<str:token>/accept/", accept, name="invitation_accept"),
]
