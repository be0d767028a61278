"""`manage.py doctor`: look at everything the service needs, and say what to do about what is wrong."""

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hostmail import health

COLOURS = {health.OK: "green", health.WARN: "yellow", health.BROKEN: "bold red"}


class Command(BaseCommand):
    help = (
        "Check database, Redis, disk, clock, certificate, DNS, queue and ports. Exit 1 if anything is broken."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one JSON document instead of a table")

    def handle(self, *args: Any, **options: Any) -> None:
        found = health.examination()
        broken = any(check.state == health.BROKEN for check in found)
        if options["json"]:
            body = {"ok": not broken, "checks": [asdict(check) for check in found]}
            self.stdout.write(json.dumps(body, indent=2))
        else:
            table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
            for check in found:
                words = Text(check.said)
                if check.advice:
                    words.append(f"\n{check.advice}", style="italic")
                table.add_row(Text(check.state, style=COLOURS[check.state]), check.name, words)
            stream: Any = self.stdout
            Console(file=stream._out).print(table)
        if broken:
            sys.exit(1)
