"""Tells Django about this face."""

from django.apps import AppConfig


class WebConfig(AppConfig):
    name = "hostmail.web"
