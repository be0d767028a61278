"""`manage.py relay`: smart hosts that take mail of a tenant, of one of its domains, or of everybody."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from mailcore.errors import NotFound
from mailcore.management.console import YES, Action, Error, Options, Tool, argument, find_tenant
from mailcore.models import Domain, Relay
from mailcore.services import relays


class Command(Tool):
    help = "Relays (smart hosts): list, add, test, remove."

    def actions(self) -> Sequence[Action]:
        public_id = argument("id", metavar="ID", help="as `list` names it")
        return (
            Action("list", self.list, "Show relays.", (argument("--tenant", metavar="SLUG"),)),
            Action(
                "add", self.add, "Have mail go by a smart host.",
                (
                    argument("host", help="name or address"),
                    argument("--port", type=int, default=587, help="587 unless given"),
                    argument("--tenant", metavar="SLUG", help="whose mail; unset: everybody's"),
                    argument("--domain", metavar="NAME", help="only what leaves from this domain"),
                    argument("--tls", choices=Relay.TLS.values, default=Relay.TLS.VERIFIED.value),
                    argument("--user", default="", help="name to sign in; the password comes by stdin"),
                    argument(
                        "--after", type=int, default=0, metavar="N", help="only what has failed N times"
                    ),
                    argument("--private", action="store_true", help="its address need not be a public one"),
                ),
            ),
            Action(
                "test", self.test, "Sign in and offer a mail, sending nothing. Exit 1 if it is not taken.",
                (public_id, argument("--to", default="", metavar="ADDRESS", help="whom to offer it for")),
            ),
            Action("remove", self.remove, "Let its mail go as before.", (public_id, YES)),
        )  # fmt: skip

    def _find(self, options: Options) -> Relay:
        found = Relay.objects.filter(public_id=options["id"]).select_related("tenant", "domain").first()
        if found is None:
            raise NotFound(f"There is no relay {options['id']}")
        return found

    def list(self, options: Options) -> None:
        found = Relay.objects.select_related("tenant", "domain")
        if options["tenant"]:
            found = found.filter(tenant=find_tenant(options["tenant"]))
        self.table(
            ("id", "host", "port", "tenant", "domain", "tls", "user", "after", "enabled"),
            (
                (
                    row.public_id, row.host, row.port, row.tenant and row.tenant.slug,
                    row.domain and row.domain.name, row.tls, row.user, row.after_attempts, row.is_enabled,
                )
                for row in found
            ),
        )  # fmt: skip

    def add(self, options: Options) -> None:
        tenant = find_tenant(options["tenant"]) if options["tenant"] else None
        domain = None
        if options["domain"]:
            domain = Domain.objects.filter(tenant=tenant, name=options["domain"].lower()).first()
            if domain is None:
                raise NotFound(f"The tenant has no domain {options['domain']}")
        password = sys.stdin.readline().rstrip("\r\n") if options["user"] else ""
        made = relays.add(
            tenant, options["host"], port=options["port"], domain=domain, tls=options["tls"],
            user=options["user"], password=password, after_attempts=options["after"],
            may_be_private=options["private"], actor=None,
        )  # fmt: skip
        self.say(f"Relay {made} is {made.public_id}", id=made.public_id, host=made.host, port=made.port)

    def test(self, options: Options) -> None:
        found = relays.try_out(self._find(options), recipient=options["to"], actor=None)
        self.say(
            f"{'Fine' if found.is_fine else 'No'}: {found.said} ({found.address}, TLS {found.tls_verdict})",
            is_fine=found.is_fine, address=found.address, tls=found.tls_version,
            tls_verdict=found.tls_verdict, said=found.said,
        )  # fmt: skip
        if not found.is_fine:
            raise Error("the relay would not take such a mail")

    def remove(self, options: Options) -> None:
        relay = self._find(options)
        self.sure(options, f"Remove the relay {relay}?")
        relays.remove(relay, actor=None)
        self.say(f"Relay {relay} is removed", id=relay.public_id)
