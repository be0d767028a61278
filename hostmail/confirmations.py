"""The letter that asks whether an alias may lead to an address outside. Used by web and API."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from mailcore.models import Address
from mailcore.services import confirmations


def ask(alias: Address) -> list[str]:
    """Ask the targets of alias that have to say yes; whom. Raises TooFast."""
    asked = []
    for target, token in confirmations.ask(alias):
        link = settings.HOSTMAIL_PUBLIC_URL + reverse("web:confirm_target", args=[token])
        text = render_to_string("mail/confirm_target.txt", {"alias": alias, "target": target, "link": link})
        subject = _("Shall %(alias)s send mail to you?") % {"alias": alias}
        EmailMessage(subject, text, to=[target.target]).send(fail_silently=True)
        asked.append(target.target)
    return asked
