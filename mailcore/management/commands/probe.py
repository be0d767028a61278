"""`manage.py probe ADDRESS`: what would become of a mail there; nothing is sent."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from mailcore.errors import MailError
from mailcore.management.console import Error
from mailcore.services import outbound


class Command(BaseCommand):
    help = (
        "Ask the hosts that mail to ADDRESS would meet what would become of it, sending nothing. Exit 0 if it"
        " would be taken, 2 if it would wait, 3 if it would come back."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("address", metavar="ADDRESS")
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            found = outbound.probe(options["address"])
        except MailError as error:
            raise Error(error.public) from error
        if options["json"]:
            self.stdout.write(json.dumps(asdict(found), indent=2))
        else:
            self.stdout.write("\n".join(found.sentences))
        status = {"here": 0, "relayed": 0, "deferred": 2, "bounced": 3}[found.would]
        if status:
            sys.exit(status)
