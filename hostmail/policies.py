"""MTA-STS policies of our customers, at https://mta-sts.DOMAIN/.well-known/mta-sts.txt. (RFC 8461 §3.2)

Named by settings.MIDDLEWARE, before host names are judged: these hosts are our customers', and nothing but
this one file is served there. The name is the Host field's own; what a proxy adds is not looked at.
"""

from django.http import HttpRequest, HttpResponse
from django.utils.deprecation import MiddlewareMixin

from mailcore.services import sts_hosting


class PolicyHosts(MiddlewareMixin):
    """Answer for the hosts of policies, and leave every other host alone."""

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        host = request.META.get("HTTP_HOST", "").partition(":")[0].lower()
        if not host.startswith(sts_hosting.PREFIX):
            return None
        text = sts_hosting.served(host) if request.path_info == "/.well-known/mta-sts.txt" else None
        if text is None or request.method not in ("GET", "HEAD"):
            return HttpResponse("Not found\n", status=404, content_type="text/plain; charset=utf-8")
        headers = {"Cache-Control": "max-age=300", "X-Content-Type-Options": "nosniff"}
        return HttpResponse(text, content_type="text/plain; charset=utf-8", headers=headers)
