"""Django looks here for admin pages. They stand in hostmail.staff; this decides who gets in.

Staff sign in where everybody does, with the same limits and second factors; Django's own form has neither.
"""

from allauth.account.decorators import secure_admin_login
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group
from django.db.models import Model

from hostmail.staff import organisations, overview, traffic

__all__ = ["organisations", "overview", "traffic"]

admin.site.login = secure_admin_login(admin.site.login)  # type: ignore[method-assign]
admin.site.site_title = admin.site.site_header = "Hostmail"

# Rights come from membership and access, and sign-in data is changed by its owner.
_OTHERS: list[type[Model]] = [Group]
for _app in ("account", "mfa", "usersessions"):
    _OTHERS += apps.get_app_config(_app).get_models()
for _model in _OTHERS:
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)
