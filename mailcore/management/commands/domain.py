"""`manage.py domain`: the domains of tenants, their DNS records and keys."""

from __future__ import annotations

from collections.abc import Sequence

from mailcore.management.console import (
    YES,
    Action,
    Options,
    Tool,
    argument,
    domain_name,
    find_tenant,
)
from mailcore.models import Domain
from mailcore.services import domains


class Command(Tool):
    help = "Domains: add, list, records, check, dmarc, newcomers, rotate-key, remove."

    def actions(self) -> Sequence[Action]:
        name = argument("name", help="the domain")
        tenant = argument("--tenant", metavar="SLUG", help="whose, where several claim the name")
        return (
            Action(
                "add", self.add, "Claim a domain for a tenant; what exists is left alone.",
                (
                    name,
                    argument("--tenant", metavar="SLUG", required=True),
                    argument("--verified", action="store_true", help="take it as proven, without DNS"),
                ),
            ),
            Action("list", self.list, "Show domains.", (argument("--tenant", metavar="SLUG"),)),
            Action(
                "records", self.records, "Show the DNS records a domain should have.",
                (name, tenant, argument("--zone", action="store_true", help="as lines of a zone file")),
            ),
            Action("check", self.look, "Look at DNS now.", (name, tenant)),
            Action(
                "dmarc", self.dmarc, "Choose what becomes of mail that fails DMARC.",
                (name, argument("policy", choices=Domain.DMARCPolicy.values), tenant),
            ),
            Action(
                "newcomers", self.newcomers, "Choose how mail of who never wrote before is met.",
                (name, argument("choice", choices=Domain.Newcomers.values), tenant),
            ),
            Action("rotate-key", self.rotate_key, "Make new DKIM keys.", (name, tenant)),
            Action(
                "remove", self.remove, "Give a domain up.",
                (name, tenant, argument("--force", action="store_true", help="with its mailboxes"), YES),
            ),
        )  # fmt: skip

    def _find(self, options: Options) -> Domain:
        tenant = find_tenant(options["tenant"]) if options["tenant"] else None
        return domains.find(options["name"], tenant=tenant)

    def add(self, options: Options) -> None:
        tenant = find_tenant(options["tenant"])
        name = domain_name(options["name"])
        domain = Domain.objects.filter(tenant=tenant, name=name).select_related("tenant").first()
        is_new = domain is None
        if domain is None:
            domain = domains.add(tenant, name, actor=None, trusted=options["verified"])
        elif options["verified"] and not domain.is_verified:
            domains.trust(domain, actor=None)
        words = "added" if is_new else "exists already"
        hint = "" if domain.is_verified else f"; publish what `domain records {name}` shows"
        self.say(
            f"Domain {domain.name} {words}, {domain.get_state_display()}{hint}",
            name=domain.name, tenant=tenant.slug, state=domain.state, made=is_new,
        )  # fmt: skip

    def list(self, options: Options) -> None:
        found = Domain.objects.select_related("tenant", "alias_of").order_by("name", "pk")
        if options["tenant"]:
            found = found.filter(tenant=find_tenant(options["tenant"]))
        self.table(
            ("name", "tenant", "state", "alias_of", "addresses", "checked_at", "records"),
            (
                (
                    domain.name, domain.tenant.slug, domain.state, domain.alias_of and domain.alias_of.name,
                    domain.addresses.count(), domain.checked_at, self._summary(domain),
                )
                for domain in found
            ),
        )  # fmt: skip

    def _summary(self, domain: Domain) -> str:
        wanted = [record.key for record in domains.required_records(domain) if record.required]
        fine = [key for key in wanted if domain.findings.get(key, {}).get("state") == "ok"]
        return f"{len(fine)} of {len(wanted)} fine"

    def records(self, options: Options) -> None:
        domain = self._find(options)
        if options["zone"] and not self.as_json:
            self.stdout.write(domains.zone_text(domain), ending="")
            return
        self.table(
            ("key", "type", "host", "ttl", "required", "state", "value"),
            (
                (
                    record.key, record.type, record.host, record.ttl, record.required,
                    domain.findings.get(record.key, {}).get("state"), record.value,
                )
                for record in domains.required_records(domain)
            ),
        )  # fmt: skip

    def look(self, options: Options) -> None:
        domain = domains.check(self._find(options))
        if self.as_json:
            self.write_json({"name": domain.name, "state": domain.state, "records": domain.findings})
            return
        self.stdout.write(f"{domain.name}: {domain.get_state_display()}")
        for record in domains.required_records(domain):
            found = domain.findings.get(record.key)
            if found and (record.required or found["state"] == "ok"):
                self.stdout.write(f"  {found['state']:<8} {record.type:<4} {record.host}")
                if found["state"] != "ok":
                    seen = f" Seen: {' | '.join(found['seen'])}" if found["seen"] else ""
                    self.stdout.write(f"           {found['explanation']}{seen} {found['fix']}")

    def dmarc(self, options: Options) -> None:
        domain = self._find(options)
        domains.set_dmarc_policy(domain, options["policy"], actor=None)
        self.say(
            f"Mail to {domain.name} that fails DMARC: {domain.get_dmarc_policy_display()}",
            name=domain.name, policy=domain.dmarc_policy,
        )  # fmt: skip

    def newcomers(self, options: Options) -> None:
        domain = self._find(options)
        domains.set_newcomers(domain, options["choice"], actor=None)
        self.say(
            f"Mail of new senders to {domain.name}: {domain.get_newcomers_display()}",
            name=domain.name, choice=domain.newcomers,
        )  # fmt: skip

    def rotate_key(self, options: Options) -> None:
        domain = self._find(options)
        made = [key.selector for key in domains.rotate_key(domain, actor=None)]
        self.say(
            f"Publish {', '.join(made)} (see `domain records {domain.name}`); they sign once they are seen",
            name=domain.name, selectors=made,
        )  # fmt: skip

    def remove(self, options: Options) -> None:
        domain = self._find(options)
        self.sure(options, f"Remove {domain.name} with its {domain.addresses.count()} addresses?")
        domains.remove(domain, force=options["force"], actor=None)
        self.say(f"Domain {domain.name} is removed", name=domain.name)
