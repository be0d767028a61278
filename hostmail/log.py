"""How every process logs: one structured line an event, on standard error.

JSON for machines, readable text on a terminal. Lines from plain `logging` (Django, uvicorn,
Celery) take the same road. Never a message body or a password: callers pass ids.
"""

import sys
import warnings
from typing import Any

import structlog
from structlog.types import EventDict, Processor


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.format_exc_info,
    ]


def _one_line(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Keep what strangers sent from starting a line of its own in the text log."""
    for key, value in event.items():
        if isinstance(value, str) and key != "exception":
            event[key] = value.replace("\r", "\\r").replace("\n", "\\n")
    return event


def configure(*, level: str, form: str) -> dict[str, Any]:
    """Set structlog up and return Django's LOGGING; form is `json`, `text` or `auto` (by the terminal)."""
    # whitenoise hands files over as plain iterators; under ASGI that works, and Django remarks on it.
    warnings.filterwarnings("ignore", message=".*must consume synchronous iterators.*")
    if form == "auto":
        form = "text" if sys.stderr.isatty() else "json"
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if form == "json":
        last.append(structlog.processors.JSONRenderer(ensure_ascii=False))
    else:
        last += [_one_line, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": _shared(),
        "processors": last,
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "py.warnings": {"handlers": ["stderr"], "propagate": False},
            "django": {"handlers": [], "level": level, "propagate": True},
            # 404s and the like are the visitor's business; server errors stay.
            "django.request": {"level": "ERROR", "propagate": True},
            "django.security.DisallowedHost": {"level": "CRITICAL", "propagate": True},
            "httpx": {"level": "WARNING"},
            "mail.log": {"level": "WARNING"},
            "uvicorn": {"level": "WARNING"},
            "celery": {"level": "WARNING"},
        },
    }
