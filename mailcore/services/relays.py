"""Relays: which smart host takes a mail, and who may say so.

An entry's relay is chosen when it is claimed, never before: what is changed here acts on what waits. A
tenant's own relays go before those for everybody, those for the sender's domain before those for all of
them, and among equals the one that wants the most failures: a relay of last resort takes over in the end.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Final

from django.conf import settings

from mailcore import limits, secrets
from mailcore.errors import BadAddress, BadValue, MailError, NotAllowedNow, NotFound, RelayAway
from mailcore.message.address import normalise_domain, parse_path
from mailcore.models import Domain, Relay, Tenant, User
from mailcore.outside import clock, dns, reach
from mailcore.outside.rehearsal import Rehearsal
from mailcore.outside.remote_smtp import Credentials, Failed, Policy, Timeouts
from mailcore.outside.routes import Target
from mailcore.outside.smtp_replies import Reply
from mailcore.services import audit, races

_PURPOSE: Final = "relay"

_MATCHES = (
    "FROM relay r LEFT JOIN domain d ON d.id = r.domain_id"
    " WHERE r.is_enabled AND (r.tenant_id = {entry}.tenant_id OR r.tenant_id IS NULL)"
    " AND (d.id IS NULL OR s.return_domain = d.name OR (s.return_domain = ''"
    " AND substr(s.reverse_path, length(s.reverse_path) - length(d.name)) = '@' || d.name))"
)
# The relay of entry e of submission s, 0 for none: an expression of SQL. What an alias passes on goes as mail
# of the domain that it leaves from.
CHOSEN = (
    f"COALESCE((SELECT r.id {_MATCHES.format(entry='e')} AND r.after_attempts <= e.attempt_count"
    " ORDER BY r.tenant_id IS NULL, r.domain_id IS NULL, r.after_attempts DESC, r.id LIMIT 1), 0)"
)
# Whether some relay waits for more failures of entry e of submission s.
ONE_WAITS = f"EXISTS (SELECT 1 {_MATCHES.format(entry='e')} AND r.after_attempts > e.attempt_count)"


# --- Changing them ---------------------------------------------------------------------------------------


def add(
    tenant: Tenant | None,
    host: str,
    *,
    port: int = 587,
    domain: Domain | None = None,
    tls: str = Relay.TLS.VERIFIED,
    user: str = "",
    password: str = "",
    after_attempts: int = 0,
    may_be_private: bool = False,
    actor: User | None,
) -> Relay:
    """Have mail of a tenant (None: of everybody) go by a smart host from now on.

    domain narrows it to senders there; after_attempts to what has failed so often. may_be_private is an
    operator's to say: see reach.may_relay. Raises BadValue; NotFound for a domain of somebody else.
    """
    if domain is not None and (tenant is None or domain.tenant_id != tenant.pk):
        raise NotFound
    made = Relay(
        tenant=tenant, domain=domain, may_be_private=may_be_private, created_at=clock.now(), is_enabled=True
    )
    _set(
        made, host=host, port=port, tls=tls, user=user, password=password, after_attempts=after_attempts
    )  # fmt: skip
    with races.change():
        if Relay.objects.filter(tenant=tenant).count() >= limits.RELAYS:
            raise BadValue(f"There may be at most {limits.RELAYS} relays")
        made.save()
        audit.record(actor, "relay.add", made, data=_said(made))
    return made


def change(relay: Relay, *, actor: User | None, is_enabled: bool | None = None, **values: Any) -> Relay:
    """Change what is not None of host, port, tls, user, password, after_attempts, is_enabled.

    A new host, port or user needs the password anew: it must not be had by pointing it elsewhere. Raises
    BadValue; NotFound if somebody removed it.
    """
    values = {name: value for name, value in values.items() if value is not None}
    if is_enabled is not None:
        relay.is_enabled = is_enabled
    if values.get("user") == "":
        values["password"] = ""
    moved = any(name in values and values[name] != getattr(relay, name) for name in ("host", "port", "user"))
    if moved and relay.user and "password" not in values:
        raise BadValue("A new host, port or user needs the password again")
    if values.get("tls", relay.tls) != relay.tls and relay.user and "password" not in values:
        raise BadValue("Another demand for TLS needs the password again")
    _set(relay, **values)
    with races.change():
        relay.save(force_update=True)
        audit.record(actor, "relay.change", relay, data=_said(relay))
    return relay


def remove(relay: Relay, *, actor: User | None) -> None:
    """Let its mail go as if it had never been. Raises NotFound if somebody was faster."""
    with races.change():
        audit.record(actor, "relay.remove", relay)
        if not Relay.objects.filter(pk=relay.pk).delete()[0]:
            raise NotFound


def _said(relay: Relay) -> dict[str, Any]:
    return {
        "domain": relay.domain.name if relay.domain else "", "tls": relay.tls, "user": relay.user,
        "after_attempts": relay.after_attempts, "is_enabled": relay.is_enabled,
    }  # fmt: skip


def _set(
    relay: Relay,
    *,
    host: str | None = None,
    port: int | None = None,
    tls: str | None = None,
    user: str | None = None,
    password: str | None = None,
    after_attempts: int | None = None,
) -> None:
    """Put checked values into a relay. Raises BadValue."""
    if host is not None:
        relay.host = _checked_host(relay, host)
    if port is not None:
        if not 1 <= port <= 65535:
            raise BadValue("A port is a number from 1 to 65535")
        relay.port = port
    if tls is not None:
        if tls not in Relay.TLS.values:
            raise BadValue(f"Choose among: {', '.join(Relay.TLS.values)}")
        relay.tls = tls
    if user is not None:
        relay.user = _plain("user", user)
    if password is not None:
        relay.password = secrets.seal(_PURPOSE, _plain("password", password).encode()) if password else b""
    if bool(relay.user) != bool(relay.password):
        raise BadValue("User and password go together")
    if after_attempts is not None:
        if not 0 <= after_attempts <= limits.RELAY_ATTEMPTS:
            raise BadValue(f"Failed attempts are a number from 0 to {limits.RELAY_ATTEMPTS}")
        relay.after_attempts = after_attempts


def _checked_host(relay: Relay, host: str) -> str:
    """A name as an A-label, or an address that may be used."""
    host = host.strip().strip("[]").rstrip(".")
    if reach.is_address(host):
        if not _may_use(relay, host, port=None):
            raise BadValue("This address is a private one, or one of ours")
        return host
    try:
        name = normalise_domain(host)
    except BadAddress as error:
        raise BadValue("That is no name or address of a host") from error
    if name == settings.HOSTMAIL_HOSTNAME.lower() and not relay.may_be_private:
        raise BadValue("This host is ourselves")
    return name


def _plain(what: str, value: str) -> str:
    # RFC 4616 §2: no NUL; both are at most 255 octets.
    if "\0" in value or len(value.encode("utf-8", "surrogatepass")) > limits.RELAY_SECRET_OCTETS:
        raise BadValue(f"The {what} has at most {limits.RELAY_SECRET_OCTETS} octets, none of them NUL")
    return value


# --- Using them ------------------------------------------------------------------------------------------


def targets(relay: Relay) -> tuple[Target, ...]:
    """The addresses of a relay's host that may be used, never empty. Raises RelayAway."""
    try:
        found = dns.host_targets(relay.host)
    except MailError as error:
        # The mail is fine whatever became of the relay's name: it waits until somebody mends it.
        raise RelayAway(f"The relay {relay} cannot be found: {error.public}") from error
    usable = tuple(target for target in found if _may_use(relay, target.address, relay.port))
    if not usable:
        raise RelayAway(f"The relay {relay} has no address that may be used")
    return usable


def _may_use(relay: Relay, address: str, port: int | None) -> bool:
    if port is not None and reach.is_ours(address, port):
        return False
    return relay.tenant_id is None or relay.may_be_private or reach.may_relay(address)


def credentials(relay: Relay) -> Credentials | None:
    """Who we are there. Raises CannotUnseal."""
    if not relay.user:
        return None
    return Credentials(relay.user, secrets.open_sealed(_PURPOSE, bytes(relay.password)).decode())


def policy(relay: Relay) -> Policy:
    """What its TLS must be, in the words of a conversation."""
    return _POLICIES[relay.tls]


_POLICIES: dict[str, Policy] = {"none": "none", "opportunistic": "opportunistic", "verified": "verified"}


def key(relay: Relay) -> str:
    """What connections must have in common: the relay, and all that could make another of it."""
    login = secrets.keyed_hash(_PURPOSE, f"{relay.user}\0{bytes(relay.password).hex()}")[:16]
    return f"relay:{relay.pk}:{relay}:{relay.tls}:{login}"


# --- Trying them -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tested:
    """What came of a test: is_fine says whether the relay would take such a mail; replies are all it said."""

    is_fine: bool
    address: str
    tls_version: str
    tls_verdict: str
    said: str
    replies: tuple[Reply, ...]


def try_out(relay: Relay, *, recipient: str = "", actor: User | None) -> Tested:
    """Connect, protect, sign in, and offer a mail to recipient, of which nothing is sent.

    recipient "" is the postmaster of this service. Raises RelayAway, BadAddress. Takes a while: never inside
    a transaction.
    """
    to = str(parse_path(recipient)) if recipient else f"postmaster@{settings.HOSTMAIL_HOSTNAME}"
    audit.record(actor, "relay.test", relay, data={"recipient": to})
    login, patience = credentials(relay), limits.RELAY_TEST_SECONDS
    for target in targets(relay)[: limits.RELAY_TEST_ADDRESSES]:
        talk = Rehearsal(
            target.host, target.address, relay.port, ehlo_name=settings.HOSTMAIL_HOSTNAME,
            policy=policy(relay), credentials=login, timeouts=Timeouts(*[patience] * len(fields(Timeouts))),
        )  # fmt: skip
        try:
            talk.open()
        except Failed as failed:
            reply = failed.reply
            continue
        reply = talk.rehearse(_sender(relay), to)
        talk.close()
        break
    tls = talk.tls
    return Tested(
        reply.is_ok, talk.address, tls.version if tls else "", tls.verdict if tls else "none",
        f"{reply.phase}: {reply.code or ''} {reply.text}".replace("  ", " "), tuple(talk.replies),
    )  # fmt: skip


def _sender(relay: Relay) -> str:
    """Somebody who may send by it."""
    domain = relay.domain
    if domain is None and relay.tenant is not None:
        domain = relay.tenant.domains.filter(state=Domain.State.VERIFIED).first()
    return f"postmaster@{domain.name if domain else settings.HOSTMAIL_HOSTNAME}"


def check_customers_may() -> None:
    """Raise NotAllowedNow where HOSTMAIL_TENANT_RELAYS leaves relays to operators."""
    if not settings.HOSTMAIL_TENANT_RELAYS:
        raise NotAllowedNow("Relays are set up by those who run this service")
