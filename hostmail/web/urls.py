"""The dashboard's addresses; each noun keeps its own list."""

from hostmail.web import domains, events, overview

app_name = "web"
urlpatterns = [*overview.routes, *domains.routes, *events.routes]
