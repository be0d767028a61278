"""Every address of the site; each face keeps its own list.

/healthz and /readyz are answered by hostmail.middleware.Health, before anything else.
"""

from importlib.util import find_spec

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from hostmail.web import recovery, signin

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", admin.site.urls),
    path("accounts/email/", recovery.addresses, name="account_email"),  # instead of allauth's
    path("accounts/login/", signin.page, name="account_login"),
    path("accounts/", include("allauth.urls")),
]
for _prefix, _face in (
    ("api/", "hostmail.api.urls"),
    ("mail/", "hostmail.webmail.urls"),
    ("", "hostmail.web.urls"),
):
    if find_spec(_face):
        urlpatterns.append(path(_prefix, include(_face)))

handler400 = "hostmail.errors.bad_request"
handler403 = "hostmail.errors.forbidden"
handler404 = "hostmail.errors.not_found"
handler500 = "hostmail.errors.server_error"
