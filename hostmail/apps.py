"""Tells Django about hostmail, and makes our Celery app the default one in every process."""

from importlib import import_module

from django.apps import AppConfig


class HostmailConfig(AppConfig):
    name = "hostmail"

    def ready(self) -> None:
        import_module("hostmail.celery")
