"""For WSGI servers; live updates (server-sent events) need asgi.py."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hostmail.settings")
application = get_wsgi_application()
