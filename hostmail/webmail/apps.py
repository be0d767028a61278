"""Tells Django about this face."""

from django.apps import AppConfig


class WebmailConfig(AppConfig):
    name = "hostmail.webmail"
