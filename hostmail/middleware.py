"""What happens to every request: health answers, a request id, the Content-Security-Policy, MailErrors.

Named by settings.MIDDLEWARE. MiddlewareMixin makes each of them fit for plain and async views.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.deprecation import MiddlewareMixin

from hostmail import errors, health
from mailcore.errors import MailError
from mailcore.secrets import random_id
from mailcore.services import audit

HEADER = "Content-Security-Policy"
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "connect-src": "'self'",
    "font-src": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
    "frame-src": "'self'",
    "base-uri": "'none'",
}
# The staff admin's theme runs Alpine, which compiles attributes to functions and sets styles.
ADMIN_POLICY = {**POLICY, "script-src": "'self' 'unsafe-eval'", "style-src": "'self' 'unsafe-inline'"}


def policy_text(policy: dict[str, str]) -> str:
    return "; ".join(f"{name} {value}".strip() for name, value in policy.items())


def content_security_policy(**directives: str) -> Callable[[Any], Any]:
    """Give a view its own policy: POLICY with some directives replaced, as in `frame_ancestors="'self'"`.

    An empty text stands for a directive without values (`sandbox=""`). A policy that lets our own
    pages frame the view lets X-Frame-Options say the same.
    """
    policy = {**POLICY, **{name.replace("_", "-"): value for name, value in directives.items()}}

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @wraps(view)
        def with_policy(*args: Any, **kwargs: Any) -> HttpResponseBase:
            response = view(*args, **kwargs)
            response.headers[HEADER] = policy_text(policy)
            if "'self'" in policy["frame-ancestors"]:
                response.headers["X-Frame-Options"] = "SAMEORIGIN"
            return response

        return with_policy

    return decorate


class Health(MiddlewareMixin):
    """Answer /healthz and /readyz before host names, sessions and cookies are looked at."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        if request.path_info == "/healthz":
            return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})
        if request.path_info == "/readyz":
            found = health.readiness()
            ready = all(check.state != health.BROKEN for check in found)
            # Names and states only: whoever may see the reasons asks `manage.py doctor`.
            body = {
                "status": "ok" if ready else "broken",
                "checks": {check.name: check.state for check in found},
            }
            return JsonResponse(body, status=200 if ready else 503, headers={"Cache-Control": "no-store"})
        return None


class RequestId(MiddlewareMixin):
    """Name the request in every log line and in the answer; error pages show it to people."""

    def process_request(self, request: HttpRequest) -> None:
        request.id = random_id()  # type: ignore[attr-defined]
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.id)  # type: ignore[attr-defined]

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        response.headers["X-Request-Id"] = getattr(request, "id", "")
        return response


class ActorAddress(MiddlewareMixin):
    """Let the audit log say from where people did what they do in this request."""

    def process_request(self, request: HttpRequest) -> None:
        audit.comes_from(request.META.get("REMOTE_ADDR"))

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        audit.comes_from(None)
        return response


class ContentSecurityPolicy(MiddlewareMixin):
    """The strict policy, unless the view has chosen its own."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        policy = ADMIN_POLICY if request.path_info.startswith("/admin/") else POLICY
        response.headers.setdefault(HEADER, policy_text(policy))
        return response


class MailErrors(MiddlewareMixin):
    """Turn a MailError that a view did not catch into its page or its problem document."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return errors.answer(request, exception) if isinstance(exception, MailError) else None
