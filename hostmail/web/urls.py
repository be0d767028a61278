"""The dashboard's addresses; each noun keeps its own list."""

from hostmail.web import (
    access,
    aliases,
    audit,
    confirmations,
    domains,
    events,
    groups,
    mailboxes,
    members,
    overview,
    passwords,
    recovery,
    reports,
    sending,
    spam,
    suppressions,
    tokens,
    traces,
    webhooks,
)

app_name = "web"
urlpatterns = [
    *overview.routes, *domains.routes, *mailboxes.routes, *access.routes, *aliases.routes, *groups.routes,
    *members.routes, *events.routes, *audit.routes, *tokens.routes, *passwords.routes, *recovery.routes,
    *suppressions.routes, *spam.routes, *webhooks.routes, *traces.routes, *confirmations.routes,
    *reports.routes, *sending.routes,
]  # fmt: skip
