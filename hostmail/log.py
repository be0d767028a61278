"""How every process logs: one structured line an event, on standard error.

JSON for machines, readable text on a terminal. Lines from plain `logging` (Django, uvicorn,
Celery) take the same road. Never a message body or a password: callers pass ids.
"""

import datetime as dt
import logging
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


class MailLine(logging.Formatter):
    """A line as syslog keeps it: time, host, program and process. Without host syslog adds time and host."""

    def __init__(self, host: str) -> None:
        super().__init__()
        self._host = host

    def format(self, record: logging.LogRecord) -> str:
        text = f"{getattr(record, 'program', 'postfix')}[{record.process}]: {record.getMessage()}"
        if not self._host:
            return text
        at = dt.datetime.fromtimestamp(record.created, dt.UTC).isoformat(timespec="microseconds")
        return f"{at} {self._host} {text}"


def _mail_handler(where: str) -> dict[str, Any]:
    if where in ("stdout", "stderr"):
        return {"class": "logging.StreamHandler", "stream": f"ext://sys.{where}", "formatter": "mail"}
    if where == "syslog":
        return {
            "class": "logging.handlers.SysLogHandler", "address": "/dev/log", "facility": "mail",
            "formatter": "mail",
        }  # fmt: skip
    # A file that logrotate moves away is opened anew.
    return {
        "class": "logging.handlers.WatchedFileHandler", "filename": where, "delay": True, "formatter": "mail",
    }  # fmt: skip


def configure(*, level: str, form: str, mail: str = "", host: str = "localhost") -> dict[str, Any]:
    """Set structlog up and return Django's LOGGING; form is `json`, `text` or `auto` (by the terminal).

    mail is where the mail log of host goes (services/mail_log.py): stdout, stderr, syslog, a path, or "".
    """
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
        "formatters": {
            "line": formatter,
            "mail": {"()": MailLine, "host": "" if mail == "syslog" else host},
        },
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line"},
            "mail": _mail_handler(mail) if mail else {"class": "logging.NullHandler"},
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "py.warnings": {"handlers": ["stderr"], "propagate": False},
            "django": {"handlers": [], "level": level, "propagate": True},
            # 404s and the like are the visitor's business; server errors stay.
            "django.request": {"level": "ERROR", "propagate": True},
            "django.security.DisallowedHost": {"level": "CRITICAL", "propagate": True},
            "httpx": {"level": "WARNING"},
            "mail.log": {"level": "WARNING"},
            "hostmail.mail": {
                "handlers": ["mail"],
                "level": "INFO" if mail else "CRITICAL",
                "propagate": False,
            },
            "uvicorn": {"level": "WARNING"},
            "celery": {"level": "WARNING"},
        },
    }
