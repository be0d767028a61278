"""`manage.py mailbox`: mailboxes with their people, passwords and mail."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from django.conf import settings

from mailcore.errors import AlreadyExists, BadAddress, MailError, NotFound
from mailcore.management import mailfiles
from mailcore.management.console import (
    PASSWORD,
    YES,
    Action,
    Error,
    Options,
    Tool,
    argument,
    find_mailbox,
    find_tenant,
    new_password,
    number_or_none,
    octets,
    size,
)
from mailcore.message.address import Path as AddressPath
from mailcore.models import Address, Mailbox, SenderRule, Tenant
from mailcore.services import addresses, closing, domains, mailboxes, messages, sender_rules, transfer, ways
from mailcore.services.mailboxes import New

CSV_TOGETHER = 64


class Command(Tool):
    help = (
        "Mailboxes: add (one or many), list, passwd, quota, ways, suspend, resume, senders,"
        " want, block, forget, remove, import, export."
    )

    def actions(self) -> Sequence[Action]:
        address = argument("address", help="an address of the mailbox")
        tenant = argument("--tenant", metavar="SLUG", help="whose, where several claim the domain")
        who = argument("who", help="an address, or @example.org for a domain")
        path = argument("path", type=Path)
        folder = argument("--folder", help="only this folder; for an import of one file, where it goes")
        return (
            Action(
                "add", self.add, "Make a mailbox and its person; what exists is left alone.",
                (
                    argument("address", nargs="?", help="local-part@domain"),
                    argument("--csv", metavar="FILE", help="address,password[,quota] a line; - is stdin"),
                    argument("--quota", help="bytes, or 500M, 5G"),
                    argument("--name", default="", help="what people read"),
                    argument("--shared", action="store_true", help="a shared mailbox, without a person"),
                    tenant, PASSWORD,
                ),
            ),
            Action(
                "list", self.list, "Show mailboxes.",
                (argument("--tenant", metavar="SLUG"), argument("--domain", metavar="NAME")),
            ),
            Action("passwd", self.passwd, "Give the owner of a mailbox a new password.", (address, PASSWORD)),
            Action(
                "app-password", self.app_password, "Make a password for one device of its owner.",
                (address, argument("name", nargs="?", default="made by the operator")),
            ),
            Action(
                "ways", self.ways, "Open or close IMAP, POP3 and SMTP, and say what POP3's DELE does.",
                (
                    address,
                    *(argument(f"--{name}", choices=("on", "off")) for name in ("imap", "pop3", "smtp")),
                    argument("--pop3-deletes", choices=Mailbox.Deleting.values),
                    argument("--imap-without", metavar="WORDS", help="capabilities not offered, or none"),
                ),
            ),
            Action(
                "quota", self.quota, "Change how much a mailbox may hold.",
                (
                    address, argument("size", nargs="?"),
                    argument("--messages", metavar="N", help="how many, or none: as many as fit"),
                ),
            ),
            Action(
                "suspend", self.suspend, "Keep everybody and new mail out.",
                (address, argument("--because", default="")),
            ),
            Action("resume", self.resume, "End a suspension.", (address,)),
            Action("senders", self.senders, "Show whom a mailbox wants mail from, and whom not.", (address,)),
            Action("want", self.want, "File mail of a proven sender in the inbox.", (address, who)),
            Action("block", self.block, "File mail of a sender in Junk.", (address, who)),
            Action("forget", self.forget, "Take back what was said of a sender.", (address, who)),
            Action("remove", self.remove, "Remove a mailbox with its mail.", (address, YES)),
            Action(
                "import", self.import_mail, "File mail from an mbox, a Maildir, or a folder of them.",
                (
                    address, path, folder,
                    argument("--again", action="store_true", help="file also what is there already"),
                ),
            ),
            Action(
                "export", self.export_mail, "Write the mail of a mailbox to a new folder.",
                (address, path, folder, argument("--format", choices=("maildir", "mbox"), default="maildir")),
            ),
        )  # fmt: skip

    # --- One --------------------------------------------------------------------------------------------

    def add(self, options: Options) -> None:
        if bool(options["address"]) == bool(options["csv"]):
            raise Error("give an address, or --csv with a file")
        if options["csv"]:
            self._add_many(options)
            return
        path = addresses.parse(options["address"])
        tenant = self._tenant(path.domain, options["tenant"])
        known = self._known(tenant, path)
        if known is not None:
            self.say(f"Mailbox {path} exists already", address=str(path), made=False)
            return
        password, shown = (None, False) if options["shared"] else self.password(options)
        mailbox = mailboxes.create(
            tenant, str(path), name=options["name"], password=password, actor=None,
            quota_octets=octets(options["quota"]) if options["quota"] else None,
            kind=Mailbox.Kind.SHARED if options["shared"] else Mailbox.Kind.PERSONAL,
        )  # fmt: skip
        self.say(
            f"Mailbox {path} made" + (f", password {password}" if shown else ""),
            address=str(path), made=True, tenant=tenant.slug, quota=mailbox.quota_octets,
            password=password if shown else None,
        )  # fmt: skip

    def _tenant(self, name: str, slug: str | None) -> Tenant:
        return domains.find(name, tenant=find_tenant(slug) if slug else None).tenant

    def _known(self, tenant: Tenant, path: AddressPath) -> Address | None:
        """The address row of a mailbox there is. Raises AlreadyExists for an alias of that name."""
        if not path.local:
            raise BadAddress("A mailbox needs a name before the @")
        row = Address.objects.filter(tenant=tenant, domain__name=path.domain, local_part=path.local).first()
        if row is not None and row.is_alias:
            raise AlreadyExists(f"{path} is an alias")
        return row

    # --- Senders ----------------------------------------------------------------------------------------

    def senders(self, options: Options) -> None:
        rules = SenderRule.objects.filter(mailbox=find_mailbox(options["address"]))
        self.table(("who", "is_wanted"), ((rule.who, rule.is_wanted) for rule in rules))

    def want(self, options: Options) -> None:
        self._say_of(options, is_wanted=True)

    def block(self, options: Options) -> None:
        self._say_of(options, is_wanted=False)

    def _say_of(self, options: Options, *, is_wanted: bool) -> None:
        mailbox = find_mailbox(options["address"])
        rule = sender_rules.add(mailbox, options["who"], is_wanted=is_wanted, actor=None)
        words = "goes to the inbox if it is proven to be theirs" if is_wanted else "goes to Junk"
        self.say(f"Mail of {rule.who} {words}", who=rule.who, is_wanted=is_wanted)

    def forget(self, options: Options) -> None:
        sender_rules.remove(find_mailbox(options["address"]), options["who"], actor=None)
        self.say(f"Nothing is said of {options['who']} any more", who=options["who"])

    # --- Many -------------------------------------------------------------------------------------------

    def _add_many(self, options: Options) -> None:
        results: list[dict[str, Any]] = []
        quota = octets(options["quota"]) if options["quota"] else None
        rows = self._rows(options["csv"])
        while some := list(islice(rows, CSV_TOGETHER)):
            for result in self._add_some(some, quota, options["tenant"]):
                results.append(result)
                if not self.as_json and result["state"] != "made":
                    self.stdout.write(f"line {result['line']}: {result['address']} {result['text']}")
                elif not self.as_json and result["password"]:
                    self.stdout.write(f"{result['address']} password {result['password']}")
        counts = {
            state: sum(one["state"] == state for one in results) for state in ("made", "exists", "failed")
        }
        if self.as_json:
            self.write_json(results)
        else:
            self.stdout.write(
                f"{counts['made']} made, {counts['exists']} existed already, {counts['failed']} failed"
            )
        if counts["failed"]:
            raise Error(f"{counts['failed']} of {len(results)} lines could not be used")

    def _rows(self, name: str) -> Iterator[tuple[int, list[str]]]:
        try:
            with sys.stdin if name == "-" else Path(name).open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file)
                for row in reader:
                    if row and row[0].strip() and not row[0].lstrip().startswith("#"):
                        yield reader.line_num, row
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise Error(f"--csv: {name}: {error}") from error

    def _add_some(
        self, rows: Sequence[tuple[int, list[str]]], quota: int | None, slug: str | None
    ) -> list[dict[str, Any]]:
        results: dict[int, dict[str, Any]] = {}
        wanted: dict[int, list[tuple[int, New, str | None]]] = {}
        tenants: dict[int, Tenant] = {}
        for line, row in rows:
            result = results[line] = {
                "line": line, "address": row[0].strip(), "state": "failed", "text": "", "password": None,
            }  # fmt: skip
            try:
                path = addresses.parse(row[0].strip())
                tenant = self._tenant(path.domain, slug)
                if self._known(tenant, path):
                    result |= {"state": "exists", "text": "exists already"}
                    continue
                given = row[1] if len(row) > 1 else ""
                password = given or new_password()
                own = octets(row[2]) if len(row) > 2 and row[2].strip() else quota
                tenants[tenant.pk] = tenant
                new = New(str(path), password, quota_octets=own)
                wanted.setdefault(tenant.pk, []).append((line, new, None if given else password))
            except (MailError, Error) as error:
                result["text"] = str(error)
        for pk, some in wanted.items():
            made = mailboxes.create_many(tenants[pk], [new for _, new, _ in some], actor=None)
            for (line, _, shown), outcome in zip(some, made, strict=True):
                if isinstance(outcome, MailError):
                    results[line]["text"] = outcome.public
                else:
                    results[line] |= {"state": "made", "password": shown}
        return list(results.values())

    # --- Looking and changing ---------------------------------------------------------------------------

    def list(self, options: Options) -> None:
        rows = Address.objects.filter(is_primary=True).exclude(mailbox__state=Mailbox.State.CLOSING)
        if options["tenant"]:
            rows = rows.filter(tenant=find_tenant(options["tenant"]))
        if options["domain"]:
            rows = rows.filter(domain=domains.find(options["domain"]))
        rows = rows.order_by("domain__name", "local_part")
        shown = (lambda value: value) if self.as_json else size
        self.table(
            ("address", "name", "tenant", "kind", "state", "used", "quota", "messages"),
            (
                (
                    str(row), row.mailbox.name, row.tenant.slug, row.mailbox.kind, row.mailbox.state,
                    shown(row.mailbox.used_octets), shown(row.mailbox.quota_octets),
                    row.mailbox.message_count,
                )
                for row in rows.select_related("mailbox", "domain", "tenant")
                if row.mailbox is not None
            ),
        )  # fmt: skip

    def passwd(self, options: Options) -> None:
        mailbox = find_mailbox(options["address"])
        password, is_new = self.password(options)
        mailboxes.set_password(mailbox, password, actor=None)
        self.say(
            f"New password for {mailbox}" + (f": {password}" if is_new else ""),
            address=str(mailbox), password=password if is_new else None,
        )  # fmt: skip

    def app_password(self, options: Options) -> None:
        mailbox = find_mailbox(options["address"])
        owner = mailboxes.owner_of(mailbox)
        if owner is None:
            raise NotFound(f"{mailbox} is shared and has no owner")
        made, secret = mailboxes.add_app_password(owner, mailbox, options["name"])
        self.say(
            f"App password for {mailbox} ({made.name}): {secret}", address=str(mailbox), name=made.name,
            password=secret,
        )  # fmt: skip

    def quota(self, options: Options) -> None:
        mailbox = find_mailbox(options["address"])
        if options["size"]:
            mailboxes.set_quota(mailbox, octets(options["size"]), actor=None)
        if options["messages"]:
            mailboxes.set_message_limit(mailbox, number_or_none(options["messages"]), actor=None)
        most = mailbox.quota_messages
        self.say(
            f"{mailbox} may hold {size(mailbox.quota_octets)}" + (f", {most} messages" if most else ""),
            address=str(mailbox),
            quota=mailbox.quota_octets,
            messages=most,
        )

    def ways(self, options: Options) -> None:
        mailbox = find_mailbox(options["address"])
        is_open = {name: options[name] and options[name] == "on" for name in ("imap", "pop3", "smtp")}
        words = options["imap_without"]
        ways.change(
            mailbox, **is_open, pop3_deletes=options["pop3_deletes"],
            imap_without="" if words == "none" else words, actor=None,
        )  # fmt: skip
        now = {"imap": mailbox.has_imap, "pop3": mailbox.has_pop3, "smtp": mailbox.has_smtp}
        self.say(
            f"{mailbox}: " + ", ".join(f"{name} {'on' if may else 'off'}" for name, may in now.items())
            + f"; what POP3 deletes {mailbox.get_pop3_deletes_display()}"
            + (f"; IMAP without {mailbox.imap_without}" if mailbox.imap_without else ""),
            address=str(mailbox), **now, pop3_deletes=mailbox.pop3_deletes,
            imap_without=mailbox.imap_without.split(),
        )  # fmt: skip

    def suspend(self, options: Options) -> None:
        mailbox = find_mailbox(options["address"])
        mailboxes.suspend(mailbox, options["because"], actor=None)
        self.say(f"Mailbox {mailbox} is suspended", address=str(mailbox), state=mailbox.state)

    def resume(self, options: Options) -> None:
        mailbox = find_mailbox(options["address"])
        mailboxes.resume(mailbox, actor=None)
        self.say(f"Mailbox {mailbox} is active", address=str(mailbox), state=mailbox.state)

    def remove(self, options: Options) -> None:
        mailbox = find_mailbox(options["address"])
        name, count = str(mailbox), mailbox.message_count
        self.sure(options, f"Remove {name} with {count} messages?")
        mailboxes.remove(mailbox, actor=None)
        closing.finish()
        self.say(f"Mailbox {name} is removed", address=name, messages=count)

    # --- Mail in and out --------------------------------------------------------------------------------

    def import_mail(self, options: Options) -> None:
        mailbox = find_mailbox(options["address"])
        if not options["path"].exists():
            raise Error(f"{options['path']} does not exist")
        job = transfer.Import(mailbox, options["folder"], skip=not options["again"])
        for found in mailfiles.read(options["path"], most_octets=settings.HOSTMAIL_MAX_MESSAGE):
            if isinstance(found, mailfiles.TooLong):
                self.note(f"{found.where}: longer than HOSTMAIL_MAX_MESSAGE, left out")
                job.left_out += 1
            elif b"\0" in found.raw:
                self.note(f"{found.where}: contains NUL, left out")
                job.left_out += 1
            else:
                self._file(job, found)
        try:
            job.flush()
        except MailError as error:
            raise Error(f"after {job.filed} messages: {error.public}") from error
        self.say(
            f"{job.filed} filed, {job.skipped} were there already, {job.left_out} left out",
            address=str(mailbox), filed=job.filed, skipped=job.skipped, left_out=job.left_out,
        )  # fmt: skip

    def _file(self, job: transfer.Import, found: mailfiles.Found) -> None:
        try:
            job.add(found.raw, folder=found.folder, flags=found.flags, date=found.date)
        except MailError as error:
            raise Error(f"{found.where}, after {job.filed} messages: {error.public}") from error

    def export_mail(self, options: Options) -> None:
        mailbox = find_mailbox(options["address"])
        base: Path = options["path"]
        if base.exists() and any(base.iterdir()):
            raise Error(f"{base} is there already and not empty")
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        maildir = mailfiles.Maildir(base)
        count = 0
        for state in messages.folder_rows(mailbox.pk):
            if options["folder"] not in (None, state.name):
                continue
            if options["format"] == "maildir":
                maildir.folder(state.name)
                for raw, flags, date in transfer.mails(state.folder_id):
                    maildir.write(state.name, raw, flags=flags, date=date)
                    count += 1
                continue
            with mailfiles.mbox_path(base, state.name).open("wb") as file:
                for raw, _, date in transfer.mails(state.folder_id):
                    mailfiles.write_mbox(file, raw, date=date)
                    count += 1
        self.say(f"{count} messages written to {base}", address=str(mailbox), written=count, path=str(base))
