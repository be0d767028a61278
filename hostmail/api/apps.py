"""Tells Django about this face."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "hostmail.api"

    def ready(self) -> None:
        from hostmail.api import openapi  # noqa: F401
