"""Is it well? Each check says what it found and, where something is wrong, what to do about it.

readiness() is short and quiet: what /readyz asks every few seconds. examination() is all of it, for
`manage.py doctor`. A check never raises: what it cannot find out is part of the answer.
"""

import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parseaddr
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor

from hostmail.env import SourceAddress

OK, WARN, BROKEN = "ok", "warn", "broken"
DISK_LOW_OCTETS = 1 << 30
DISK_FULL_OCTETS = 100 << 20
CLOCK_SLACK_SECONDS = 5
QUEUE_OLD_SECONDS = 15 * 60
CERTIFICATE_DAYS = 14
SECRET_CHARACTERS = 32


@dataclass(frozen=True, slots=True)
class Check:
    """One finding; advice is empty when all is well."""

    name: str
    state: str
    said: str
    advice: str = ""


def readiness() -> list[Check]:
    """Can this process do its work now: database, and Redis where there is one."""
    return [database(), redis()]


def examination() -> list[Check]:
    """Everything, in the order in which a person would look."""
    found: list[Check] = []
    checks: list[Callable[[], Check | list[Check]]] = [
        secret, database, migrations, redis, disk, clock, certificate, name_servers, system_mail, sources,
        queue, listeners,
    ]  # fmt: skip
    for check in checks:
        result = check()
        found += result if isinstance(result, list) else [result]
    return found


def secret() -> Check:
    if len(settings.HOSTMAIL_SECRET_KEY) >= SECRET_CHARACTERS:
        return Check("secret", OK, "HOSTMAIL_SECRET_KEY is long enough")
    return Check(
        "secret",
        WARN,
        f"HOSTMAIL_SECRET_KEY has only {len(settings.HOSTMAIL_SECRET_KEY)} characters",
        f"set {SECRET_CHARACTERS} random characters or more; the old one goes to HOSTMAIL_SECRET_KEY_OLD",
    )


def database() -> Check:
    kind = connection.vendor
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except (DatabaseError, OSError) as error:
        where = (
            "DATABASE_URL"
            if kind == "postgresql"
            else f"the rights and the disk of {settings.HOSTMAIL_DATA_DIR}"
        )
        return Check("database", BROKEN, f"{kind} does not answer: {_first_line(error)}", f"check {where}")
    return Check("database", OK, f"{kind} answers")


def migrations() -> Check:
    try:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except (DatabaseError, OSError) as error:
        return Check("migrations", BROKEN, f"unknown: {_first_line(error)}", "mend the database first")
    if plan:
        return Check("migrations", BROKEN, f"{len(plan)} not applied", "run `manage.py migrate`")
    return Check("migrations", OK, "all applied")


def redis() -> Check:
    if not settings.REDIS_URL:
        return Check(
            "redis", WARN, "none in use: wake-ups take up to a minute",
            "start the service with `manage.py up`, install redis-server, or set REDIS_URL",
        )  # fmt: skip
    # Imported here: without Redis the library is never needed.
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        with Redis.from_url(settings.REDIS_URL, socket_connect_timeout=2, socket_timeout=2) as client:
            client.ping()
    except (RedisError, OSError, ValueError) as error:
        # Slower, but no mail is lost and none waits for more than a minute: not broken.
        return Check(
            "redis",
            WARN,
            f"does not answer: {type(error).__name__}",
            "check REDIS_URL, or restart `manage.py up`",
        )
    return Check("redis", OK, "answers")


def disk() -> Check:
    folder = settings.HOSTMAIL_DATA_DIR
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    said = f"{free / (1 << 30):.1f} GB free at {folder}"
    if free < DISK_FULL_OCTETS:
        return Check("disk", BROKEN, said, "free some space now: mail is refused with temporary failures")
    if free < DISK_LOW_OCTETS:
        return Check("disk", WARN, said, "free some space, or move HOSTMAIL_DATA_DIR to a larger disk")
    return Check("disk", OK, said)


def clock() -> Check:
    """Compare our clock with the database's; a wrong clock spoils TLS, DKIM and the queue."""
    if connection.vendor == "sqlite":
        now = datetime.now(UTC)
        if now.year < 2026:
            return Check(
                "clock", BROKEN, f"says {now:%Y-%m-%d}", "set the clock, and let chrony or ntpd keep it"
            )
        return Check("clock", OK, f"says {now:%Y-%m-%d %H:%M} UTC")
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())")
            difference = float(cursor.fetchone()[0]) - time.time()
    except (DatabaseError, OSError) as error:
        return Check("clock", WARN, f"unknown: {_first_line(error)}", "mend the database first")
    if abs(difference) > CLOCK_SLACK_SECONDS:
        return Check(
            "clock",
            BROKEN,
            f"{difference:+.0f} seconds from the database's",
            "let chrony or ntpd keep both clocks",
        )
    return Check("clock", OK, "agrees with the database's")


def certificate() -> Check:
    path: Path = settings.HOSTMAIL_TLS_CERT
    if not path.exists():
        return Check(
            "certificate", WARN, f"none yet at {path}", "`manage.py up` makes one, or set HOSTMAIL_TLS_CERT"
        )
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path, settings.HOSTMAIL_TLS_KEY)
        found = x509.load_pem_x509_certificate(path.read_bytes())
    except (OSError, ValueError) as error:
        return Check(
            "certificate", BROKEN, f"{path} cannot be used: {_first_line(error)}",
            "give a PEM certificate and its key in HOSTMAIL_TLS_CERT and HOSTMAIL_TLS_KEY",
        )  # fmt: skip
    days = (found.not_valid_after_utc - datetime.now(UTC)).days
    renew = "renew it; the listeners take the new file after a restart"
    if days < 0:
        return Check("certificate", BROKEN, f"expired {-days} days ago", renew)
    if days < CERTIFICATE_DAYS:
        return Check("certificate", WARN, f"expires in {days} days", renew)
    if not _names_match(found, settings.HOSTMAIL_HOSTNAME):
        return Check(
            "certificate", WARN, f"does not name {settings.HOSTMAIL_HOSTNAME}",
            "get one for that name, or set HOSTMAIL_HOSTNAME to the name clients use",
        )  # fmt: skip
    if found.issuer == found.subject and not settings.ON_LOOPBACK:
        return Check(
            "certificate", WARN, f"self-signed, valid for {days} days: clients will warn",
            "get one from a certificate authority and set HOSTMAIL_TLS_CERT and HOSTMAIL_TLS_KEY",
        )  # fmt: skip
    return Check("certificate", OK, f"valid for {days} days")


def name_servers() -> Check:
    """Ask the servers we use for outbound mail one question that any of them can answer."""
    import dns.exception  # heavy, and only doctor needs it here
    import dns.flags
    import dns.resolver

    from mailcore.outside import dns as our_dns

    resolver = dns.resolver.Resolver(configure=not settings.HOSTMAIL_DNS_SERVERS)
    for host, port in settings.HOSTMAIL_DNS_SERVERS:
        resolver.nameservers = [*resolver.nameservers, dns.nameserver.Do53Nameserver(host, port)]
    resolver.lifetime = 5
    resolver.flags = dns.flags.RD | dns.flags.AD
    is_validated = False
    try:
        answer = resolver.resolve(".", "NS", raise_on_no_answer=False)
        is_validated = bool(answer.response.flags & dns.flags.AD)
    except dns.resolver.NXDOMAIN:
        pass  # it answered
    except (dns.exception.DNSException, OSError) as error:
        return Check(
            "dns", WARN, f"no answer: {_first_line(error)}",
            "check HOSTMAIL_DNS_SERVERS or /etc/resolv.conf; remote mail waits in the queue until then",
        )  # fmt: skip
    if not is_validated:
        return Check("dns", OK, "the name servers answer; they do not validate DNSSEC, so DANE has no effect")
    if not our_dns.is_trusted():
        # HOSTMAIL_DNS_VALIDATING
        return Check("dns", OK, "the name servers answer; their word on DNSSEC is not believed (see README)")
    return Check("dns", OK, "the name servers answer and validate DNSSEC, so DANE is obeyed")


def system_mail() -> Check:
    from mailcore.services import outbound

    sender = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    try:
        _, domain = outbound.signer_of(sender)
    except DatabaseError as error:
        return Check("system mail", BROKEN, f"unknown: {_first_line(error)}", "mend the database first")
    if not domain:
        return Check(
            "system mail", WARN, f"goes out unsigned from {sender}, and may be taken for spam",
            "give an organisation of yours that domain, or the one above it: `manage.py domain add`",
        )  # fmt: skip
    return Check("system mail", OK, f"goes out from {sender}, signed by {domain}")


def sources() -> list[Check]:
    """Are the addresses that mail leaves from ours, and do their names agree both ways?"""
    return [_source(each) for each in settings.HOSTMAIL_SOURCE_ADDRESSES]


def _source(source: SourceAddress) -> Check:
    from mailcore.errors import MailError
    from mailcore.outside import dns, reach

    what, name = f"source {source.address}", source.name or settings.HOSTMAIL_HOSTNAME
    if not reach.is_local(ip_address(source.address)):
        return Check(
            what, BROKEN, "is no address of this machine: nothing leaves from it",
            "give it to an interface, or take it out of HOSTMAIL_SOURCE_ADDRESSES",
        )  # fmt: skip
    try:
        names, addresses = dns.pointers(source.address), dns.addresses(name)
    except MailError as error:
        return Check(what, WARN, f"{name}: {error.public}", "publish PTR and address records")
    if name not in [each.rstrip(".").lower() for each in names] or source.address not in addresses:
        return Check(
            what, WARN, f"it calls itself {name}, and DNS does not agree both ways",
            f"publish {name} as its PTR, and it as an address of {name}: many hosts refuse mail otherwise",
        )  # fmt: skip
    return Check(what, OK, f"is ours, and {name} both ways")


def queue() -> Check:
    from mailcore.models import QueueEntry

    try:
        oldest = (
            QueueEntry.objects.filter(state=QueueEntry.State.WAITING).order_by("due_at").values_list("due_at")
        )
        first = oldest.first()
    except DatabaseError as error:
        return Check("queue", BROKEN, f"unknown: {_first_line(error)}", "mend the database first")
    if first is None:
        return Check("queue", OK, "nothing waits")
    late = (datetime.now(UTC) - first[0]).total_seconds()
    if late > QUEUE_OLD_SECONDS:
        return Check(
            "queue", BROKEN, f"the first entry has been due for {int(late // 60)} minutes",
            "is the worker running? see `manage.py queue list`",
        )  # fmt: skip
    return Check("queue", OK, "nothing is late")


def ports() -> dict[str, int]:
    """Return every listener of this instance by name, in the order people expect them."""
    return {
        "http": settings.HOSTMAIL_HTTP_PORT,
        "smtp": settings.HOSTMAIL_SMTP_PORT,
        "submission": settings.HOSTMAIL_SUBMISSION_PORT,
        "submissions": settings.HOSTMAIL_SUBMISSIONS_PORT,
        "imap": settings.HOSTMAIL_IMAP_PORT,
        "imaps": settings.HOSTMAIL_IMAPS_PORT,
        "pop3": settings.HOSTMAIL_POP3_PORT,
        "pop3s": settings.HOSTMAIL_POP3S_PORT,
    }


def own_address() -> str:
    """Return the address at which we reach our own listeners."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.HOSTMAIL_BIND, settings.HOSTMAIL_BIND)  # noqa: S104


def is_open(port: int) -> bool:
    """Say whether something accepts connections at our address and this port."""
    with suppress(OSError), socket.create_connection((own_address(), port), timeout=2):
        return True
    return False


def listeners() -> list[Check]:
    return list(_listeners())


def _listeners() -> Iterator[Check]:
    closed = [f"{name} ({port})" for name, port in ports().items() if not is_open(port)]
    if not closed:
        yield Check("ports", OK, "every listener is open")
    elif len(closed) == len(ports()):
        yield Check(
            "ports", WARN, "no listener is open: the service does not run", "start it with `manage.py up`"
        )
    else:
        yield Check(
            "ports", BROKEN, f"closed: {', '.join(closed)}",
            "see the log of that process; `manage.py up` starts all, `web`, `maild` and `worker` one each",
        )  # fmt: skip


def _names_match(found: x509.Certificate, name: str) -> bool:
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    parent = name.partition(".")[2]
    return any(known.lower() in (name, f"*.{parent}") for known in names.get_values_for_type(x509.DNSName))


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).split("\n")[0]
