"""`manage.py demo`: tenants, people and mail to look at, on a machine that only its owner reaches."""

from __future__ import annotations

import io
import ipaddress
import json
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser, OutputWrapper

from mailcore import demo
from mailcore.errors import MailError
from mailcore.management.console import Error


class Command(BaseCommand):
    help = "Make the demo: Alice, Bob and Charlie with some mail. Prints their passwords once."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reset", action="store_true", help="give everybody of the demo a new password")
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> str | None:
        if not ipaddress.ip_address(settings.HOSTMAIL_BIND).is_loopback:
            raise Error(f"the demo is for a loopback address only; HOSTMAIL_BIND is {settings.HOSTMAIL_BIND}")
        is_new = not demo.exists()
        try:
            if is_new:
                logins = demo.seed()
            else:
                logins = demo.reset() if options["reset"] else demo.logins()
        except MailError as error:
            raise Error(error.public) from error
        if options["json"]:
            answer = json.dumps({"made": is_new, "logins": [_as_json(login) for login in logins]})
            if options["verbosity"] > 0:
                self.stdout.write(answer)
            self.stdout = OutputWrapper(io.StringIO())  # what handle() returns is for who called us
            return answer
        self.stdout.write("The demo is made." if is_new else "The demo exists already.")
        for login in logins:
            self.stdout.write(f"  {login.address:<24} {login.password:<22} {login.note}".rstrip())
        if not is_new and not options["reset"]:
            self.stdout.write("Its passwords were printed when it was made; demo --reset makes new ones.")
        return None


def _as_json(login: demo.Login) -> dict[str, str]:
    shown = asdict(login)
    if not login.password:
        shown["note"] += "; password printed at the first start, `manage.py demo --reset` makes new ones"
    return shown
