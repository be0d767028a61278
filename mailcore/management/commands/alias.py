"""`manage.py alias`: addresses that lead to other addresses."""

from __future__ import annotations

from collections.abc import Sequence

from mailcore.errors import AlreadyExists, NotFound
from mailcore.management.console import Action, Options, Tool, argument, find_address, find_tenant
from mailcore.models import Address
from mailcore.services import addresses, domains


class Command(Tool):
    help = "Aliases: add, set, list, remove. @example.org is everything else of that domain."

    def actions(self) -> Sequence[Action]:
        address = argument("address", help="local-part@domain, or @domain for a catch-all")
        targets = argument("targets", nargs="+", metavar="TARGET", help="where it leads, here or outside")
        tenant = argument("--tenant", metavar="SLUG", help="whose, where several claim the domain")
        return (
            Action("add", self.add, "Make an alias; again changes nothing.", (address, targets, tenant)),
            Action("set", self.set, "Change where an alias leads.", (address, targets, tenant)),
            Action(
                "list", self.list, "Show aliases.",
                (argument("--tenant", metavar="SLUG"), argument("--domain", metavar="NAME")),
            ),
            Action("remove", self.remove, "Take an alias away.", (address, tenant)),
        )  # fmt: skip

    def add(self, options: Options) -> None:
        path = addresses.parse(options["address"])
        tenant = find_tenant(options["tenant"]) if options["tenant"] else None
        tenant = domains.find(path.domain, tenant=tenant).tenant
        known = Address.objects.filter(tenant=tenant, domain__name=path.domain, local_part=path.local).first()
        if known is not None and known.is_alias and self._targets(known) == sorted(options["targets"]):
            self._told(known, "exists already", made=False)
            return
        if known is not None:
            raise AlreadyExists(f"{known} exists already" + (": use `alias set`" if known.is_alias else ""))
        made = addresses.add_alias(tenant, options["address"], options["targets"], actor=None)
        self._told(made, "made", made=True)

    def set(self, options: Options) -> None:
        alias = self._find(options)
        addresses.set_targets(alias, options["targets"], actor=None)
        self._told(alias, "changed", made=False)

    def _told(self, alias: Address, words: str, *, made: bool) -> None:
        targets = self._targets(alias)
        self.say(
            f"Alias {alias} {words}: leads to {', '.join(targets)}",
            address=str(alias),
            targets=targets,
            made=made,
        )

    def _targets(self, alias: Address) -> Sequence[str]:
        return sorted(alias.targets.values_list("target", flat=True))

    def _find(self, options: Options) -> Address:
        found = find_address(options["address"], options["tenant"])
        if not found.is_alias:
            raise NotFound(f"{found} is a mailbox, not an alias")
        return found

    def list(self, options: Options) -> None:
        found = Address.objects.filter(mailbox=None).select_related("domain", "tenant")
        if options["tenant"]:
            found = found.filter(tenant=find_tenant(options["tenant"]))
        if options["domain"]:
            found = found.filter(domain=domains.find(options["domain"]))
        self.table(
            ("address", "targets", "tenant", "enabled"),
            (
                (str(alias), self._targets(alias), alias.tenant.slug, alias.is_enabled)
                for alias in found.order_by("domain__name", "local_part")
            ),
        )

    def remove(self, options: Options) -> None:
        alias = self._find(options)
        addresses.remove(alias, actor=None)
        self.say(f"Alias {alias} is removed", address=str(alias))
