"""Domains: claimed, proven by DNS, checked again, given up.

Claims may compete, proof decides: the unique constraint on proven names lets one tenant win. A domain that
is not proven neither receives nor sends (routing.py, outbound). Which records there should be is in
dns_records.py. DNS is asked outside every transaction.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from publicsuffixlist import PublicSuffixList

from mailcore import limits, secrets
from mailcore.errors import (
    AlreadyExists,
    BadAddress,
    BadValue,
    Forbidden,
    MailError,
    NotAllowedNow,
    NotFound,
)
from mailcore.message.address import normalise_domain
from mailcore.models import Address, DkimKey, Domain, Mailbox, Tenant, User
from mailcore.outside import clock, dns, doorbell, worker
from mailcore.outside.lookups import Outcome, Server
from mailcore.senderauth import dkim
from mailcore.services import audit, dns_records, mailboxes, races, sql
from mailcore.services.dns_records import Finding, Record, required_records, zone_text

_DKIM_PURPOSE = "dkim-key"
_ALGORITHMS = ((DkimKey.Algorithm.RSA, "rsa", "r"), (DkimKey.Algorithm.ED25519, "ed25519", "e"))
# While something is missing: soon at first, when people sit before the page, then seldom.
_AGAIN_MINUTES = (1, 2, 5, 10, 30, 60, 120, 240, 360)

# --- Making ----------------------------------------------------------------------------------------------


def add(tenant: Tenant, name: str, *, actor: User | None, trusted: bool = False) -> Domain:
    """Claim a domain for a tenant and make its DKIM keys. trusted takes it as proven: staff only.

    Raises BadAddress, BadValue (no name one can own), AlreadyExists (this tenant has it, or another has
    proven it or a name above it), NotAllowedNow (our own host name), Forbidden.
    """
    if trusted and actor is not None and not actor.is_staff:
        raise Forbidden("Only the operator takes a domain as proven")
    name = normalise_domain(name.strip())
    if not trusted:
        _check_ownable(name)
    _check_free(tenant, name)
    keys = _new_keys(1)  # outside the transaction: an RSA key takes a tenth of a second or more
    now = clock.now()
    taken = AlreadyExists(f"{name} is already in this organisation, or proven by another")
    with races.change(taken):
        domain = Domain.objects.create(
            tenant=tenant,
            name=name,
            state=Domain.State.VERIFIED if trusted else Domain.State.PENDING,
            verified_at=now if trusted else None,
            is_trusted=trusted,
            check_at=now,
        )
        DkimKey.objects.bulk_create([key.row(domain, is_active=True) for key in keys])
        audit.record(actor, "domain.add", domain, data={"trusted": trusted})
        worker.wake("check_domains")
    return domain


def trust(domain: Domain, *, actor: User | None) -> None:
    """Take a claim as proven without DNS. Staff only. Raises Forbidden, AlreadyExists."""
    if actor is not None and not actor.is_staff:
        raise Forbidden("Only the operator takes a domain as proven")
    _check_free(domain.tenant, domain.name, ours=True)
    with races.change(AlreadyExists(f"{domain.name} is proven by another organisation")):
        Domain.objects.filter(pk=domain.pk).update(
            state=Domain.State.VERIFIED, is_trusted=True, verified_at=clock.now(), check_at=clock.now()
        )
        audit.record(actor, "domain.trust", domain)
    domain.refresh_from_db()


def _check_ownable(name: str) -> None:
    if "." not in name or _suffixes().is_public(name):
        raise BadValue(f"{name} is not a domain that one can own")
    own = {settings.HOSTMAIL_HOSTNAME, settings.HOSTMAIL_SERVICE_DOMAIN} - {""}
    if any(name == ours or name.endswith(f".{ours}") for ours in own):
        raise NotAllowedNow(f"{name} belongs to this mail service")


@functools.cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)


def _check_free(tenant: Tenant, name: str, *, ours: bool = False) -> None:
    if not ours and Domain.objects.filter(tenant=tenant, name=name).exists():
        raise AlreadyExists(f"{name} is already in this organisation")
    if _holder_elsewhere(tenant.pk, name):
        raise AlreadyExists(f"{name} belongs to another organisation here")


def _holder_elsewhere(tenant_id: int, name: str) -> bool:
    """Whether another tenant has proven name or a name above it."""
    labels = name.split(".")
    names = [".".join(labels[start:]) for start in range(len(labels))]
    proven = Domain.objects.filter(name__in=names).exclude(state=Domain.State.PENDING)
    return proven.exclude(tenant_id=tenant_id).exists()


def set_alias_of(domain: Domain, target: Domain | None, *, actor: User | None) -> None:
    """Have every address of target work under domain too; None ends that. Raises BadValue."""
    if target is not None:
        if target.tenant_id != domain.tenant_id or target.pk == domain.pk or target.alias_of_id:
            raise BadValue("A domain can stand for another one of the same organisation")
        if Address.objects.filter(domain=domain).exists() or domain.aliases.exists():
            raise BadValue("A domain with addresses of its own cannot stand for another")
    with races.change():
        Domain.objects.filter(pk=domain.pk).update(alias_of=target)
        audit.record(actor, "domain.alias", domain, data={"of": target.name if target else None})
    domain.refresh_from_db(fields=["alias_of"])


def set_dmarc_policy(domain: Domain, policy: str, *, actor: User | None) -> None:
    """Choose what becomes of mail to domain that fails DMARC: obey, junk or ignore. Raises BadValue."""
    if policy not in Domain.DMARCPolicy.values:
        raise BadValue("The choices are obey, junk and ignore")
    with races.change():
        Domain.objects.filter(pk=domain.pk).update(dmarc_policy=policy)
        audit.record(actor, "domain.dmarc_policy", domain, data={"policy": policy})
    domain.refresh_from_db(fields=["dmarc_policy"])


def set_newcomers(domain: Domain, choice: str, *, actor: User | None) -> None:
    """Choose how mail of who never wrote before is met: off, delay or greylist. Raises BadValue."""
    if choice not in Domain.Newcomers.values:
        raise BadValue("The choices are off, delay and greylist")
    with races.change():
        Domain.objects.filter(pk=domain.pk).update(newcomers=choice)
        audit.record(actor, "domain.newcomers", domain, data={"choice": choice})
    domain.refresh_from_db(fields=["newcomers"])


def suspend(domain: Domain, *, actor: User | None) -> None:
    """Defer mail for a proven domain, and send none from it. Staff only. Raises Forbidden, NotAllowedNow."""
    _set_state(domain, Domain.State.VERIFIED, Domain.State.SUSPENDED, "domain.suspend", actor)


def resume(domain: Domain, *, actor: User | None) -> None:
    """End a domain's suspension. Staff only. Raises Forbidden, NotAllowedNow."""
    _set_state(domain, Domain.State.SUSPENDED, Domain.State.VERIFIED, "domain.resume", actor)


def _set_state(domain: Domain, before: str, after: str, verb: str, actor: User | None) -> None:
    if actor is not None and not actor.is_staff:
        raise Forbidden("Only the operator does that")
    with races.change():
        if not Domain.objects.filter(pk=domain.pk, state=before).update(state=after):
            raise NotAllowedNow(f"{domain.name} is {domain.get_state_display()}")
        audit.record(actor, verb, domain)
    domain.refresh_from_db(fields=["state"])


def remove(domain: Domain, *, force: bool = False, actor: User | None) -> None:
    """Give a domain up, with its addresses and keys. With force its mailboxes go too.

    Raises NotAllowedNow while mailboxes have their main address in it.
    """
    with races.change():
        living = Mailbox.objects.filter(addresses__domain=domain, addresses__is_primary=True)
        living = living.exclude(state=Mailbox.State.CLOSING).distinct()
        if living and not force:
            raise NotAllowedNow(f"{domain.name} has {len(living)} mailboxes: remove them first")
        for mailbox in living:
            mailboxes.remove(mailbox, actor=actor)
        audit.record(actor, "domain.remove", domain)
        domain.delete()


# --- DKIM keys -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _NewKey:
    selector: str
    algorithm: str
    sealed: bytes
    public: str

    def row(self, domain: Domain, *, is_active: bool) -> DkimKey:
        return DkimKey(
            domain=domain, selector=self.selector, algorithm=self.algorithm, private_sealed=self.sealed,
            public=self.public, is_active=is_active,
        )  # fmt: skip


def _new_keys(generation: int) -> list[_NewKey]:
    """One RSA and one Ed25519 key: some verifiers know only the first (RFC 8463 §1)."""
    keys = []
    for algorithm, kind, letter in _ALGORITHMS:
        pem = dkim.generate_key(kind)  # type: ignore[arg-type]
        public = dkim.public_record(dkim.load_key(pem))
        sealed = secrets.seal(_DKIM_PURPOSE, pem.encode("ascii"))
        keys.append(_NewKey(f"hm{generation}{letter}", algorithm, sealed, public))
    return keys


def rotate_key(domain: Domain, *, actor: User | None) -> list[DkimKey]:
    """Make the next pair of keys: the check that finds both published lets them sign and the old ones retire.

    Raises NotAllowedNow while a pair already waits.
    """
    keys = _new_keys(1 + domain.dkim_keys.count() // len(_ALGORITHMS))
    with races.change(NotAllowedNow("New keys are already waiting to be published")):
        if domain.dkim_keys.filter(is_active=False, retired_at=None).exists():
            raise NotAllowedNow("New keys are already waiting to be published")
        made = [key.row(domain, is_active=False) for key in keys]
        DkimKey.objects.bulk_create(made)
        audit.record(actor, "domain.rotate_key", domain, data={"selectors": [key.selector for key in keys]})
        _due_now(domain)
    return made


@dataclass(frozen=True, slots=True)
class SigningKey:
    selector: str
    key: dkim.PrivateKey


def signing_keys(domain_id: int) -> list[SigningKey]:
    """The keys that sign for a domain now, ready to use. Raises CannotUnseal: the secret key is another."""
    rows = sql.rows(
        "SELECT id, selector, private_sealed FROM dkim_key WHERE domain_id = %s AND is_active ORDER BY id",
        (domain_id,),
    )
    return [SigningKey(selector, _load(pk, bytes(sealed))) for pk, selector, sealed in rows]


@functools.lru_cache(maxsize=2_000)
def _load(pk: int, sealed: bytes) -> dkim.PrivateKey:
    return dkim.load_key(secrets.open_sealed(_DKIM_PURPOSE, sealed).decode("ascii"))


def _publish_next(domain: Domain, findings: dict[str, Finding]) -> None:
    """Sign with waiting keys once all of them are seen in DNS."""
    waiting = list(domain.dkim_keys.filter(is_active=False, retired_at=None))
    if waiting and all(
        findings.get(f"dkim:{key.selector}", Finding(dns_records.LATER)).state == dns_records.OK
        for key in waiting
    ):
        domain.dkim_keys.filter(is_active=True).update(is_active=False, retired_at=clock.now())
        domain.dkim_keys.filter(pk__in=[key.pk for key in waiting]).update(is_active=True)
        audit.record(None, "domain.new_key_signs", domain)


# --- Checking --------------------------------------------------------------------------------------------


def check_now(domain: Domain) -> None:
    """Have a domain checked at once, in the background; from there on as if it were new."""
    with races.change():
        _due_now(domain)


def _due_now(domain: Domain) -> None:
    Domain.objects.filter(pk=domain.pk).update(check_at=clock.now(), check_count=0)
    worker.wake("check_domains")


def due(limit: int = 20) -> list[Domain]:
    """Claim domains whose check is due: nobody else gets them for ten minutes."""
    now = clock.now()
    claimed = []
    for domain in Domain.objects.filter(check_at__lte=now).order_by("check_at")[:limit]:
        with races.change():
            mine = Domain.objects.filter(pk=domain.pk, check_at=domain.check_at)
            if mine.update(check_at=now + dt.timedelta(seconds=limits.DOMAIN_CLAIM_SECONDS)):
                claimed.append(domain)
    return claimed


def check(domain: Domain) -> Domain:
    """Ask DNS about every record, keep what was found, and take the domain as proven if it is. Waits for DNS.

    Returns the domain as it is now. Raises NotFound if it was removed meanwhile.
    """
    records = required_records(domain)
    findings = _look(domain.name, records)
    with transaction.atomic():
        sql.rows(f"SELECT id FROM domain WHERE id = %s {sql.for_update()}", (domain.pk,))
        current = Domain.objects.select_related("tenant").filter(pk=domain.pk).first()
        if current is None:
            raise NotFound
        _conclude(current, records, findings)
        doorbell.ring(f"domain:{current.pk}", f"tenant:{current.tenant_id}")
    return current


def _look(name: str, records: Sequence[Record]) -> dict[str, Finding]:
    try:
        servers = dns.nameservers(name)
    except MailError as error:
        return dns_records.failure_for_all(records, error)
    answers: dict[tuple[str, str], Outcome] = {}
    for record in records:
        where = record.host, record.type
        if where not in answers:
            answers[where] = _ask(servers, *where)
    return {
        record.key: dns_records.judge_record(record, answers[record.host, record.type]) for record in records
    }


def _ask(servers: Sequence[Server], host: str, rdtype: str) -> Outcome:
    try:
        return dns.ask_at(servers, host, rdtype)
    except MailError as error:
        return error


def _conclude(domain: Domain, records: Sequence[Record], findings: dict[str, Finding]) -> None:
    """Write down what a check found and what follows from it. The row is locked."""
    now = clock.now()
    proof = findings["ownership"]
    kept = {key: finding.as_json() for key, finding in findings.items()}
    if proof.state == dns_records.OK and domain.state == Domain.State.PENDING:
        if not _prove(domain, now):
            kept["ownership"] = Finding(
                dns_records.DIFFERS, proof.seen,
                _("The text is there, but another organisation here holds this name or one above it."),
                _("Ask the operator of this service if you think that is wrong."),
            ).as_json()  # fmt: skip
    elif proof.state in (dns_records.MISSING, dns_records.DIFFERS) and _is_proven_by_dns(domain):
        _miss_proof(domain, findings, kept, now)
    elif proof.state == dns_records.LATER and (since := _missing_since(domain)):
        kept["ownership"]["missing_since"] = since
    _publish_next(domain, findings)
    domain.findings = kept
    domain.checked_at = now
    domain.check_count += 1
    domain.check_at = now + _next_check(domain, records, kept)
    domain.save(update_fields=["findings", "checked_at", "check_count", "check_at", "state", "verified_at"])


def _prove(domain: Domain, now: dt.datetime) -> bool:
    if _holder_elsewhere(domain.tenant_id, domain.name):
        return False
    try:
        with transaction.atomic():
            Domain.objects.filter(pk=domain.pk).update(state=Domain.State.VERIFIED, verified_at=now)
    except IntegrityError:
        return False  # another tenant's check came first
    domain.state, domain.verified_at, domain.check_count = Domain.State.VERIFIED, now, 0
    audit.record(None, "domain.verified", domain)
    return True


def _is_proven_by_dns(domain: Domain) -> bool:
    return domain.state != Domain.State.PENDING and not domain.is_trusted


def _miss_proof(
    domain: Domain, findings: dict[str, Finding], kept: dict[str, dict[str, object]], now: dt.datetime
) -> None:
    """The proof of a proven domain is gone: say so, and after a time of grace believe it.

    Mail goes on as long as the MX record leads here: then the owner still wants us.
    """
    since = _missing_since(domain) or now.isoformat()
    kept["ownership"]["missing_since"] = since
    gone_for = now - dt.datetime.fromisoformat(since)
    if gone_for < dt.timedelta(days=limits.DOMAIN_GRACE_DAYS) or findings["mx"].state == dns_records.OK:
        return
    if findings["mx"].state == dns_records.LATER or domain.state == Domain.State.SUSPENDED:
        return
    domain.state, domain.verified_at, domain.check_count = Domain.State.PENDING, None, 0
    # A claim again, with the time that claims have.
    Domain.objects.filter(pk=domain.pk).update(created_at=now)
    audit.record(None, "domain.unproven", domain, data={"missing_since": since})


def _missing_since(domain: Domain) -> str:
    return str(domain.findings.get("ownership", {}).get("missing_since") or "")


def _next_check(
    domain: Domain, records: Sequence[Record], kept: dict[str, dict[str, object]]
) -> dt.timedelta:
    if all(kept[record.key]["state"] == dns_records.OK for record in records if record.required):
        return dt.timedelta(days=1)
    step = min(domain.check_count, len(_AGAIN_MINUTES)) - 1
    if domain.state != Domain.State.PENDING and step == len(_AGAIN_MINUTES) - 1:
        return dt.timedelta(days=1)
    return dt.timedelta(minutes=_AGAIN_MINUTES[max(step, 0)])


def lapse(limit: int = 100) -> int:
    """Drop claims that nobody has proven in time; how many went. One with mail only stops being checked."""
    before = clock.now() - dt.timedelta(days=limits.DOMAIN_CLAIM_DAYS)
    old = Domain.objects.filter(state=Domain.State.PENDING, created_at__lt=before).exclude(check_at=None)
    gone = 0
    for domain in old[:limit]:
        if Mailbox.objects.filter(addresses__domain=domain, message_count__gt=0).exists():
            with races.change():
                Domain.objects.filter(pk=domain.pk).update(check_at=None)
        else:
            remove(domain, force=True, actor=None)
            gone += 1
    return gone


def find(name: str, *, tenant: Tenant | None = None) -> Domain:
    """A domain by name, for the operator: the proven one first. Raises NotFound, BadAddress."""
    named = Domain.objects.filter(name=normalise_domain(name)).select_related("tenant")
    if tenant is not None:
        named = named.filter(tenant=tenant)
    found = sorted(named, key=lambda domain: domain.state == Domain.State.PENDING)
    if not found:
        raise NotFound(f"There is no domain {name}")
    return found[0]


__all__ = [
    "BadAddress",
    "Record",
    "SigningKey",
    "add",
    "check",
    "check_now",
    "due",
    "find",
    "lapse",
    "remove",
    "required_records",
    "resume",
    "rotate_key",
    "set_alias_of",
    "signing_keys",
    "suspend",
    "trust",
    "zone_text",
]
