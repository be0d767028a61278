"""Behind the link in the letter: whoever reads the address agrees to get the mail. No sign-in needed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.views.decorators.cache import never_cache

from mailcore.services import confirmations


@never_cache
def confirm_target(request: HttpRequest, token: str) -> HttpResponse:
    """Asks once more before it counts: programs that look at links in mail press no buttons."""
    target = confirmations.find(token)
    if request.method == "POST" and target.is_waiting:
        confirmations.confirm(target)
        target.refresh_from_db()
    return render(request, "web/confirm_target.html", {"target": target, "alias": target.address})


routes = [path("confirm/<slug:token>/", confirm_target, name="confirm_target")]
