"""`manage.py up`: the whole service in the foreground, from an empty data folder if need be."""

import ipaddress
import json
import logging
import signal
import socket
import sys
import time
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.management import CommandError, call_command, get_commands
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor

from hostmail import health, private_redis
from hostmail.supervisor import (
    Part,
    Plan,
    StartFailed,
    become,
    lock_data_folder,
    our_part,
    private_socket,
    redis_part,
)

logger = logging.getLogger(__name__)
PORT_WAIT_SECONDS = 3  # what a killed predecessor held is free within moments
LISTENERS = {
    "http": "Web, API",
    "smtp": "SMTP, mail from outside",
    "submission": "Submission, STARTTLS",
    "submissions": "Submission, TLS",
    "imap": "IMAP, STARTTLS",
    "imaps": "IMAP, TLS",
    "pop3": "POP3, STARTTLS",
    "pop3s": "POP3, TLS",
}


class Command(BaseCommand):
    help = "Run the whole service in the foreground; prints `ready` when every listener is open."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--demo", action="store_true", help="with a demo tenant: Alice, Bob and Charlie")
        parser.add_argument("--trace", action="store_true", help="print every protocol conversation")

    def handle(self, *args: Any, demo: bool, trace: bool, **options: Any) -> None:
        if demo and not settings.ON_LOOPBACK:
            raise CommandError(
                f"--demo makes logins and prints them, so it needs a loopback address;"
                f" HOSTMAIL_BIND is {settings.HOSTMAIL_BIND}"
            )
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # nothing runs yet that would have to stop
        try:
            lock = lock_data_folder(settings.HOSTMAIL_DATA_DIR)
            check_ports()
            migrate()
            ensure_certificate()
            logins = seed_demo() if demo else []
            connections.close_all()
            plan = Plan(
                stages=parts(trace),
                said=announcement(logins),
                probes=[(health.own_address(), port) for port in health.ports().values()],
                log_level=settings.HOSTMAIL_LOG_LEVEL,
                log_form=settings.HOSTMAIL_LOG_FORMAT,
                lock=lock.fileno(),
            )
        except StartFailed as error:
            raise CommandError(str(error)) from error
        self.stdout.flush()
        become(plan)


def announcement(logins: list[dict[str, str]]) -> str:
    """Return where everything listens and the demo's logins, for people."""
    host = f"[{settings.HOSTMAIL_BIND}]" if ":" in settings.HOSTMAIL_BIND else settings.HOSTMAIL_BIND
    lines = [f"Hostmail is up. Data: {settings.HOSTMAIL_DATA_DIR}"]
    lines += [f"  {LISTENERS[name]:<24} {host}:{port}" for name, port in health.ports().items()]
    lines.append(f"  {'Open in a browser':<24} {settings.HOSTMAIL_PUBLIC_URL}")
    if logins:
        lines.append("Demo logins (address, password):")
        for login in logins:
            row = f"  {login['address']:<28} {login['password'] or '-':<24} {login.get('note', '')}"
            lines.append(row.rstrip())
    return "\n".join(lines)


def parts(trace: bool) -> list[list[Part]]:
    """Return what has to run, in stages: Redis if none is given, then our own processes."""
    stages: list[list[Part]] = []
    redis_url = settings.REDIS_URL
    given = redis_url and redis_url != private_redis.known_url(settings.HOSTMAIL_DATA_DIR)
    if not given:
        program, redis_url = private_redis.program(), ""
        if program is None:
            effect = {"effect": "works without, slower", "advice": "install redis-server"}
            logger.warning("no_redis", extra=effect)
        else:
            path = private_socket(settings.HOSTMAIL_DATA_DIR)
            stages.append([redis_part(program, path)])
            redis_url = f"unix://{path}"
    maild = our_part("maild", *(["--trace"] if trace else []), redis_url=redis_url)
    stages.append([maild, our_part("web", redis_url=redis_url), our_part("worker", redis_url=redis_url)])
    return stages


def check_ports() -> None:
    """Raise StartFailed with the name of the variable if a port is taken, by us twice or by others."""
    names = {"http": "HOSTMAIL_HTTP_PORT"}
    seen: dict[int, str] = {}
    for name, port in health.ports().items():
        variable = names.get(name, f"HOSTMAIL_{name.upper()}_PORT")
        if port in seen:
            raise StartFailed(f"{variable} and {seen[port]} are both {port}; each needs a port of its own")
        seen[port] = variable
    deadline = time.monotonic() + PORT_WAIT_SECONDS
    for port, variable in seen.items():
        while error := _why_not(port):
            if time.monotonic() > deadline:
                raise StartFailed(
                    f"{variable} is {port}, and {settings.HOSTMAIL_BIND}:{port} cannot be used: {error}"
                )
            time.sleep(0.1)


def _why_not(port: int) -> str:
    family = socket.AF_INET6 if ipaddress.ip_address(settings.HOSTMAIL_BIND).version == 6 else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.HOSTMAIL_BIND, port))
        except OSError as error:
            return error.strerror or str(error)
    return ""


def migrate() -> None:
    """Bring the database up to date; nothing is run, not even signals, when it already is."""
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        call_command("migrate", verbosity=0, interactive=False)


def ensure_certificate() -> None:
    if find_spec("mailcore.outside.tls"):
        from mailcore.outside import tls

        tls.ensure_certificate()


def seed_demo() -> list[dict[str, str]]:
    """Make the demo tenant on the first start; return its logins every time."""
    if "demo" not in get_commands():
        return []
    answer = call_command("demo", "--json", verbosity=0)
    return list(json.loads(answer)["logins"]) if answer else []
