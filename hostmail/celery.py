"""Celery for background work; started by `manage.py worker`.

Tasks live in mailcore/tasks.py, which also says how often each sweep runs (SCHEDULE: task name ->
seconds). A task is only a wake-up: what is to be done stands in the database.
"""

import os
from importlib import import_module
from typing import Any

from celery import Celery
from celery.signals import setup_logging

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hostmail.settings")

app = Celery("hostmail")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["mailcore"])
# mailcore sends wake-ups through the default app: the current one of another thread is not ours.
app.set_default()


def schedule() -> dict[str, float]:
    """Return full task name -> seconds for every sweep."""
    tasks = import_module("mailcore.tasks")  # not above: it needs Django's apps to be ready
    return {
        name if "." in name else f"mailcore.tasks.{name}": seconds for name, seconds in tasks.SCHEDULE.items()
    }


@setup_logging.connect
def _keep_our_logging(**_: Any) -> None:
    """Connected, so that Celery leaves the logging of settings.LOGGING alone."""
