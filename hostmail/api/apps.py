"""Tells Django about this face."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "hostmail.api"
