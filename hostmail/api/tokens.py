"""Bearer tokens: who asks, for which organisation, and how often. (RFC 6750 §2.1)"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from mailcore import limits
from mailcore.models import ApiToken, User
from mailcore.outside import clock, counters
from mailcore.services import users

if TYPE_CHECKING:
    from rest_framework.views import APIView


class BearerToken(BaseAuthentication):
    """`Authorization: Bearer hm_...`; never in the address, where logs would keep it."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        scheme, _, secret = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        token = users.authenticate_token(secret.strip().decode("latin-1"))
        if token is None:
            raise AuthenticationFailed("That token is not valid")
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="api"'


class PerToken(BaseThrottle):
    """At most API_REQUESTS a minute for one token, or for one person without."""

    def allow_request(self, request: Request, view: APIView) -> bool:
        token = request.auth
        if isinstance(token, ApiToken):
            key = f"api:token:{token.pk}"
        elif request.user.is_authenticated:
            key = f"api:user:{request.user.pk}"
        else:
            return True  # turned away by the next check
        count = counters.hit(key, 60)
        request.rate_left = max(limits.API_REQUESTS - count, 0)  # type: ignore[attr-defined]
        return count <= limits.API_REQUESTS

    def wait(self) -> float:
        return 60 - clock.epoch() % 60
