"""MailError -> a page for people or a problem document for programs (RFC 9457); and the error pages.

Used by hostmail.middleware.MailErrors, REST framework (settings.REST_FRAMEWORK) and urls.py. Anything
that is not a MailError is our bug: Django logs it with its traceback and we say no more than 500.
"""

import logging
from http import HTTPStatus
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template import TemplateDoesNotExist
from django.utils.translation import gettext as _
from rest_framework import exceptions as rest
from rest_framework.response import Response
from rest_framework.views import set_rollback

from mailcore.errors import MailError, NotFound, TooFast, Unexpected

logger = logging.getLogger(__name__)

PROBLEM = "application/problem+json"
RETRY_SECONDS = 60
WORDS = {
    400: "That request could not be understood.",
    403: "You may not do that.",
    404: "There is nothing here, or nothing that you may see.",
    500: "Something went wrong on our side. It has been logged and will be looked at.",
}


def problem(status: int, code: str, text: str, **more: Any) -> dict[str, Any]:
    """Return the members of RFC 9457 §3.1; code is the stable name, text is safe for strangers."""
    title = HTTPStatus(status).phrase
    return {
        "type": f"urn:hostmail:{code}",
        "title": title,
        "status": status,
        "code": code,
        "detail": text,
        **more,
    }


def wants_problem(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/") or not (
        request.accepts("text/html") or request.headers.get("HX-Request")
    )


def answer(request: HttpRequest, error: MailError) -> HttpResponse:
    """Say error as a page or a problem document, with its status."""
    if wants_problem(request):
        response: HttpResponse = JsonResponse(
            problem(error.http, error.code, error.public), status=error.http, content_type=PROBLEM
        )
    else:
        template = "errors/404.html" if error.http == 404 else "errors/said.html"
        response = page(request, error.http, error.public, template=template)
    if error.retry and error.http in (429, 503):
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def page(request: HttpRequest, status: int, text: str, *, template: str = "errors/said.html") -> HttpResponse:
    """Render an error page; said.html is the one that shows text."""
    context = {"status": status, "said": text}
    try:
        return render(request, template, context, status=status)
    except TemplateDoesNotExist:
        return HttpResponse(f"{status} {text}\n", status=status, content_type="text/plain; charset=utf-8")


def _plain(request: HttpRequest, status: int) -> HttpResponse:
    text = _(WORDS[status])
    if wants_problem(request):
        body = problem(status, HTTPStatus(status).name.lower(), text)
        return JsonResponse(body, status=status, content_type=PROBLEM)
    return page(request, status, text, template=f"errors/{status}.html")


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _plain(request, 400)


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _plain(request, 403)


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _plain(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    return _plain(request, 500)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Named by settings.CSRF_FAILURE_VIEW."""
    text = _(
        "The page was open for too long, or your browser sends no cookies. Go back, reload it and try again."
    )
    if wants_problem(request):
        return JsonResponse(problem(403, "csrf_failed", text), status=403, content_type=PROBLEM)
    return page(request, 403, text)


def api_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """REST framework's exception handler: every failure leaves as a problem document."""
    more: dict[str, Any] = {}
    headers: dict[str, str] = {}
    if isinstance(error, Http404):
        error = NotFound()
    elif isinstance(error, PermissionDenied):
        error = rest.PermissionDenied()
    if isinstance(error, MailError):
        status, code, text = error.http, error.code, error.public
        if error.retry and status in (429, 503):
            headers["Retry-After"] = str(RETRY_SECONDS)
    elif isinstance(error, rest.ValidationError):
        status, code, text = 400, "bad_value", _("Some values are not acceptable.")
        more["errors"] = error.detail
    elif isinstance(error, rest.Throttled):
        status, code, text = TooFast.http, TooFast.code, TooFast.text
        headers["Retry-After"] = str(int(getattr(error, "wait", None) or RETRY_SECONDS))
    elif isinstance(error, rest.APIException):
        status, text = error.status_code, str(error.detail)
        codes = error.get_codes()
        code = codes if isinstance(codes, str) else "error"
        if challenge := getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = challenge
    else:
        logger.error("api_request_failed", exc_info=error)
        status, code, text = Unexpected.http, Unexpected.code, Unexpected.text
    set_rollback()
    return Response(problem(status, code, text, **more), status=status, headers=headers, content_type=PROBLEM)
