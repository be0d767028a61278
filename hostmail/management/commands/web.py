"""`manage.py web`: dashboard, webmail, API and admin over HTTP, in one process."""

import sys
from typing import Any

from django.core.management.base import BaseCommand

from hostmail import server


class Command(BaseCommand):
    help = "Serve the control panel, webmail and API (HOSTMAIL_BIND, HOSTMAIL_HTTP_PORT)."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        running = server.build()
        running.run()
        if not running.started:
            sys.exit(1)  # uvicorn has said why
