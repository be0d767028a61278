"""What uvicorn runs: `manage.py web`."""

import os

from django.conf import settings
from django.core.asgi import get_asgi_application

from hostmail.server import BodyLimit, most_octets

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hostmail.settings")
# Under ASGI every request has a thread of its own, and a lasting connection would outlive its thread.
settings.DATABASES["default"]["CONN_MAX_AGE"] = 0
application = BodyLimit(get_asgi_application(), most_octets)
