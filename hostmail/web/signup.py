"""The sign-up form: a person and the name of the organisation they make. Named by settings.ACCOUNT_FORMS."""

from __future__ import annotations

from allauth.account.forms import SignupForm as AllauthSignupForm
from django import forms
from django.utils.translation import gettext_lazy as _

from mailcore import limits
from mailcore.errors import MailError
from mailcore.models import Domain
from mailcore.services import users


class SignupForm(AllauthSignupForm):  # type: ignore[misc]
    organisation = forms.CharField(
        label=_("Organisation"), max_length=limits.NAME_CHARS,
        help_text=_("The name of your company, club or family."),
    )  # fmt: skip
    field_order = ("organisation", "email", "password1")

    def clean_email(self) -> str:
        email = str(super().clean_email())
        try:
            email = users.email_of(email)
        except MailError as error:
            raise forms.ValidationError(error.public) from error
        # Else strangers could take the names that belong to another organisation's domain.
        name = email.rpartition("@")[2]
        if Domain.objects.filter(name=name).exclude(state=Domain.State.PENDING).exists():
            raise forms.ValidationError(_("Addresses of that domain are given out by its organisation."))
        return email

    def clean_organisation(self) -> str:
        name = " ".join(str(self.cleaned_data["organisation"]).split())
        if not name or not name.isprintable():
            raise forms.ValidationError(_("An organisation needs a name."))
        return name
