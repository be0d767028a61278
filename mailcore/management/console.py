"""What all commands for people and machines share: actions, tables or JSON, one-line errors, passwords.

A command is a Tool with actions: methods named in actions(), each with its own arguments. Every action takes
--json. What a MailError says is printed in one line and ends the command with status 1.
"""

from __future__ import annotations

import datetime as dt
import json
import re
import secrets
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from mailcore.errors import MailError, NotFound
from mailcore.message.address import normalise_domain
from mailcore.models import Address, Mailbox, Tenant, User
from mailcore.services import addresses, users
from mailcore.services.doors import APP_LETTERS

Options = Mapping[str, Any]
Arguments = Callable[[CommandParser], object]
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


class Error(CommandError):
    """What the person did wrong, in one line; Django prints it as "Error: ..." and exits with 1."""


@dataclass(frozen=True, slots=True)
class Action:
    name: str
    run: Callable[[Options], None]
    help: str
    arguments: Sequence[Arguments] = ()


def argument(*names: str, **how: Any) -> Arguments:
    """One argument of an action, as argparse has it."""
    return lambda parser: parser.add_argument(*names, **how)


PASSWORD = argument(
    "--password-stdin", action="store_true", help="read the password from standard input, one line"
)
YES = argument("--yes", action="store_true", help="do not ask")


class Tool(BaseCommand):
    """A command made of actions."""

    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def actions(self) -> Sequence[Action]:
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
        for action in self.actions():
            described = actions.add_parser(action.name, help=action.help, description=action.help)
            for add in action.arguments:
                add(described)
            described.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        self.as_json = bool(options.get("json"))
        (action,) = [action for action in self.actions() if action.name == options["action"]]
        try:
            action.run(options)
        except MailError as error:
            raise Error(error.public) from error

    # --- Answers ----------------------------------------------------------------------------------------

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Show rows under their column names: a table, or a list of objects in JSON."""
        rows = list(rows)
        if self.as_json:
            self.write_json([dict(zip(columns, row, strict=True)) for row in rows])
            return
        shown = [[_text(value) for value in row] for row in rows]
        if not shown:
            self.stdout.write("(none)")
        elif self.stdout.isatty():
            self._rich_table(columns, shown)
        else:
            self._plain_table(columns, shown)

    def _rich_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        from rich.console import Console  # takes a while to import, and scripts never need it
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            table.add_column(column.replace("_", " "), overflow="fold")
        for row in rows:
            table.add_row(*[Text(value) for value in row])
        Console(file=sys.stdout).print(table)

    def _plain_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
        for row in [columns, *rows]:
            line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            self.stdout.write(line.rstrip())

    def say(self, text: str, **data: Any) -> None:
        """Say what was done: a sentence, or data as an object in JSON."""
        if self.as_json:
            self.write_json(data)
        else:
            self.stdout.write(text)

    def note(self, text: str) -> None:
        """Something beside the answer, for people: to standard error."""
        self.stderr.write(text)

    def write_json(self, value: Any) -> None:
        self.stdout.write(json.dumps(value, default=_json, ensure_ascii=False, indent=2))

    # --- Questions --------------------------------------------------------------------------------------

    def sure(self, options: Options, what: str) -> None:
        """Ask whether to do what cannot be undone; programs, which have no terminal, are not asked."""
        if options.get("yes") or not sys.stdin.isatty():
            return
        if input(f"{what} Type yes: ").strip().lower() != "yes":
            raise Error("nothing was changed")

    def password(self, options: Options) -> tuple[str, bool]:
        """The password from standard input, or a new one; whether it is new, so that it must be shown."""
        if not options.get("password_stdin"):
            return new_password(), True
        password = sys.stdin.readline().rstrip("\r\n")
        if not password:
            raise Error("--password-stdin: standard input holds no password")
        return password, False


def new_password() -> str:
    """A password nobody guesses and everybody can type: about 89 bits."""
    return "-".join("".join(secrets.choice(APP_LETTERS) for _ in range(6)) for _ in range(3))


def octets(text: str) -> int:
    """A size as 500, 10K, 50M, 5G or 1T. Raises Error."""
    match = re.fullmatch(r"([0-9]{1,15})([KMGT]?)B?", text.strip().upper(), re.ASCII)
    if not match or not int(match[1]):
        raise Error(f"{text!r} is no size: write bytes, or 500K, 50M, 5G")
    return int(match[1]) * UNITS[match[2]]


def number_or_none(text: str) -> int | None:
    """A number above zero, or None for "none". Raises Error."""
    if text.strip().lower() == "none":
        return None
    if not re.fullmatch(r"[1-9][0-9]{0,11}", text.strip(), re.ASCII):
        raise Error(f"{text!r} is no number: write one above zero, or none")
    return int(text)


def size(value: int) -> str:
    """A number of octets for people."""
    for unit in ("T", "G", "M", "K"):
        if value >= UNITS[unit]:
            return f"{value / UNITS[unit]:.1f}{unit}"
    return str(value)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dt.datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    # Names may be anything: no line ends or escapes to a terminal.
    return "".join(char if char.isprintable() else "?" for char in str(value))


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else str(value)


# --- Finding things by what people call them -------------------------------------------------------------


def find_tenant(slug: str) -> Tenant:
    """Raises NotFound."""
    tenant = Tenant.objects.filter(slug=slug).exclude(state=Tenant.State.CLOSING).first()
    if tenant is None:
        raise NotFound(f"There is no tenant {slug}")
    return tenant


def find_user(email: str) -> User:
    """Raises NotFound, BadAddress."""
    user = User.objects.filter(email=users.email_of(email)).first()
    if user is None:
        raise NotFound(f"There is no user {email}")
    return user


def find_address(text: str, slug: str | None = None) -> Address:
    """An address row; of a proven domain before a claim's. Raises NotFound, BadAddress."""
    path = addresses.parse(text)
    named = Address.objects.filter(domain__name=path.domain, local_part=path.local)
    if slug:
        named = named.filter(tenant=find_tenant(slug))
    found = sorted(
        named.select_related("domain", "tenant", "mailbox"), key=lambda row: not row.domain.is_verified
    )
    if not found:
        raise NotFound(f"There is no address {text}")
    return found[0]


def find_mailbox(text: str, slug: str | None = None) -> Mailbox:
    """The mailbox with this address. Raises NotFound, BadAddress."""
    mailbox = find_address(text, slug).mailbox
    if mailbox is None:
        raise NotFound(f"{text} is an alias")
    return mailbox


def domain_name(text: str) -> str:
    """Raises BadAddress."""
    return normalise_domain(text.strip())
