"""Tells Django about this face."""

from django.apps import AppConfig
from django.conf import settings


class ApiConfig(AppConfig):
    name = "hostmail.api"

    def ready(self) -> None:
        if settings.HOSTMAIL_SHOWS_PAGES:
            from hostmail.api import openapi  # noqa: F401
