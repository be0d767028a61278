"""Routes of version 1, and its OpenAPI document."""

from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.routers import SimpleRouter

from hostmail.api.v1 import (
    aliases,
    domains,
    events,
    groups,
    mailboxes,
    probes,
    queue,
    relays,
    spam,
    submissions,
    suppressions,
    tenants,
    traces,
    webhooks,
)
from hostmail.middleware import content_security_policy

router = SimpleRouter()
for _name, _view in (
    ("tenants", tenants.Tenants),
    ("members", tenants.Members),
    ("domains", domains.Domains),
    ("mailboxes", mailboxes.Mailboxes),
    ("aliases", aliases.Aliases),
    ("groups", groups.Groups),
    ("queue", queue.Queue),
    ("relays", relays.Relays),
    ("probe", probes.Probes),
    ("events", events.Events),
    ("traces", traces.Traces),
    ("submissions", submissions.Submissions),
    ("webhooks", webhooks.Webhooks),
    ("quarantine", spam.Quarantine),
    ("suppressions", suppressions.Suppressions),
):
    router.register(_name, _view, basename=f"api-{_name}")

# The documentation page starts itself with a script in the page and sets styles as it draws.
_docs_policy = content_security_policy(
    script_src="'self' 'unsafe-inline'", style_src="'self' 'unsafe-inline'", img_src="'self' data:"
)

urlpatterns = [
    path("schema/", SpectacularAPIView.as_view(), name="api-schema"),
    path("docs/", _docs_policy(SpectacularSwaggerView.as_view(url_name="api-schema")), name="api-docs"),
    *router.urls,
]
