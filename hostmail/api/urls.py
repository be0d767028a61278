"""Versions of the API."""

from django.urls import include, path

urlpatterns = [path("v1/", include("hostmail.api.v1.urls"))]
