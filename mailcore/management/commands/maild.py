"""`manage.py maild`: the mail daemon. Several processes share the ports by SO_REUSEPORT."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from mailcore import server
from mailcore.outside.processes import die_with_parent


class Command(BaseCommand):
    help = "Serve SMTP, submission, IMAP and POP3. Prints `ready` when every listener is open."
    # They would load every page: a fifth of the process.
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--only", default="", help=f"comma-separated, of {', '.join(server.PROTOCOLS)}")
        parser.add_argument("--processes", type=int, default=settings.HOSTMAIL_PROCESSES)

    def handle(self, *args: Any, **options: Any) -> None:
        only = [name for name in options["only"].split(",") if name]
        if unknown := sorted(set(only) - set(server.PROTOCOLS)):
            raise CommandError(f"--only: {', '.join(unknown)} is none of {', '.join(server.PROTOCOLS)}")
        if options["processes"] > 1:
            sys.exit(self._many(options["processes"], options["only"]))
        server.run(only, lambda: print("ready", flush=True))

    def _many(self, count: int, only: str) -> int:
        """Start the processes, end them together: when one ends by itself, the supervisor starts all anew."""
        command = [
            sys.executable,
            sys.argv[0],
            "maild",
            "--processes",
            "1",
            *(["--only", only] if only else []),
        ]
        # HOSTMAIL_PROCESSES stays above one in the children: it makes them share their ports.
        environment = {**os.environ, "HOSTMAIL_PROCESSES": str(count)}
        parent = os.getpid()
        children = [
            subprocess.Popen(
                command, env=environment, stdout=subprocess.PIPE, preexec_fn=lambda: die_with_parent(parent)
            )
            for _ in range(count)
        ]

        told: list[bool] = []

        def end(*_: object) -> None:
            # Once: a second SIGTERM would kill a child that no longer listens to it while it goes.
            for child in [] if told else children:
                child.terminate()
            told.append(True)

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        for child in children:
            assert child.stdout is not None
            child.stdout.readline()
        print("ready", flush=True)
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        end()
        return max(abs(child.wait()) for child in children)
