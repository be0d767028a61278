"""The dashboard's addresses; each noun keeps its own list."""

from hostmail.web import access, aliases, domains, events, mailboxes, members, overview, passwords, tokens

app_name = "web"
urlpatterns = [
    *overview.routes, *domains.routes, *mailboxes.routes, *access.routes, *aliases.routes, *members.routes,
    *events.routes, *tokens.routes, *passwords.routes,
]  # fmt: skip
