"""Reports that we owe: about DMARC by mail, about TLS by mail or HTTPS. RFC 7489 §7.2, RFC 8460 §5.

Once a day for the day before, by a sweep that any worker may run: a row for each report keeps two from doing
the same. A report that goes out twice after a crash has the same id, which readers know it by. Reports leave
with the null path, are counted for nobody, and so are never answered by reports about reports.
"""

from __future__ import annotations

import datetime as dt
import gzip
import logging
import re
from collections.abc import Sequence

from django.conf import settings
from django.db import transaction

from mailcore import limits
from mailcore.errors import MailError, NoRecords, NoSuchName
from mailcore.message import encode, fields
from mailcore.message.address import parse_path
from mailcore.message.trace import date
from mailcore.models import OwedReport, ReportKind, Submission
from mailcore.outside import clock, dns, http
from mailcore.reports import dmarc_write
from mailcore.secrets import random_id
from mailcore.services import addresses, delivery, messages, outbound, queue, report_addresses, tenants
from mailcore.services.messages import Mail, Unit
from mailcore.services.reports import counts, taking
from mailcore.tlspolicy import tlsrpt

log = logging.getLogger(__name__)
State = OwedReport.State
_MAILTO = re.compile(r"mailto:([^\s,;!@?]+@[^\s,;!@?]+)(?:!([0-9]{1,12})([kmgt]?))?", re.IGNORECASE)
_UNITS = {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}


def sender() -> str:
    """The address that reports come from; "" when the service has no proven domain to sign in its name."""
    if settings.HOSTMAIL_SEND_REPORTS == "off":
        return ""
    for name in report_addresses.own_names():
        if "." in name and outbound.signer_of(f"postmaster@{name}")[0]:
            return f"postmaster@{name}"
    return ""


def send_due(most: int = 100) -> int:
    """Send reports of the day before, and those that could not be sent an hour ago; how many were tried."""
    author = sender()
    now = clock.now()
    # Other processes have written their counts by then.
    if not author or now.hour < limits.REPORTS_FROM_HOUR:
        return 0
    tried = 0
    for kind, day, domain in _owed(now)[:most]:
        if _claim(kind, day, domain, now):
            _try(kind, day, domain, author)
            tried += 1
    return tried


def _owed(now: dt.datetime) -> list[tuple[str, dt.date, str]]:
    day = now.date() - dt.timedelta(days=1)
    known = set(OwedReport.objects.filter(day=day).values_list("kind", "domain"))
    new = [(ReportKind.DMARC.value, name) for name in counts.domains_of(day)]
    new += [(ReportKind.TLS.value, name) for name in outbound.tlsrpt.domains_of(day)]
    again = OwedReport.objects.filter(state=State.WAITING, due_at__lte=now).order_by("due_at")
    return [
        *((kind, day, name) for kind, name in new if (kind, name) not in known),
        *again.values_list("kind", "day", "domain"),
    ]


def _claim(kind: str, day: dt.date, domain: str, now: dt.datetime) -> bool:
    """Whether it is ours to send now: nobody else takes it up for an hour."""
    later = now + dt.timedelta(seconds=limits.REPORT_RETRY_SECONDS)
    with transaction.atomic():
        _, is_new = OwedReport.objects.get_or_create(
            kind=kind, day=day, domain=domain, defaults={"due_at": later, "attempt_count": 1}
        )
        if is_new:
            return True
        mine = OwedReport.objects.filter(
            kind=kind, day=day, domain=domain, state=State.WAITING, due_at__lte=now
        )
        row = mine.first()
        return row is not None and bool(mine.update(due_at=later, attempt_count=row.attempt_count + 1))


def _try(kind: str, day: dt.date, domain: str, author: str) -> None:
    try:
        if kind == ReportKind.DMARC:
            state, words = _send_dmarc(day, domain, author)
        else:
            state, words = _send_tls(day, domain, author)
    except MailError as error:
        state, words = (State.WAITING if error.retry else State.FAILED), error.public
    with transaction.atomic():
        row = OwedReport.objects.get(kind=kind, day=day, domain=domain)
        if state == State.WAITING and row.attempt_count >= limits.REPORT_TRIES:
            state = State.FAILED
        OwedReport.objects.filter(pk=row.pk).update(state=state, words=words[:500])
    log.info("report_%s: %s %s %s: %s", state, kind, day, domain, words)


# --- DMARC -----------------------------------------------------------------------------------------------


def _send_dmarc(day: dt.date, domain: str, author: str) -> tuple[State, str]:
    host = author.rpartition("@")[2]
    policy, rows = counts.rows_of(day, domain)
    report_id = f"{day.isoformat()}.{domain}@{host}"
    packed = gzip.compress(
        dmarc_write.report(
            rows, day=day, domain=domain, policy=policy, organization=host, email=author, report_id=report_id
        ),
        mtime=0,
    )
    wanted = dmarc_targets(_texts(f"_dmarc.{domain}"), len(packed))
    targets = [target for target in wanted if _may_report(domain, target)]
    if not targets:
        return State.UNWANTED, "No address, or none whose host agreed (RFC 7489 §7.1)"
    begin = int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp())
    name = f"{host}!{domain}!{begin}!{begin + 24 * 3600 - 1}.xml.gz"
    kind = ("multipart/mixed", (), "application/gzip")
    for target in targets:
        _mail(_message(author, target, domain, report_id, name, packed, kind), author, target)
    return State.SENT, ", ".join(targets)


def dmarc_targets(texts: Sequence[str], octets: int) -> list[str]:
    """The addresses of rua= that take a report of that size. (RFC 7489 §6.2, §6.3)"""
    records = [text for text in texts if re.match(r"v\s*=\s*DMARC1\s*(;|$)", text)]
    if len(records) != 1:
        return []
    tags = (part.partition("=") for part in records[0].split(";"))
    uris = next((value for name, _, value in tags if name.strip().lower() == "rua"), "")
    found = []
    for uri in uris.split(",")[: limits.TLSRPT_URIS]:
        match = _MAILTO.fullmatch(uri.strip())
        if match and (not match[2] or octets <= int(match[2]) << _UNITS[match[3].lower()]):
            found.append(match[1])
    return list(dict.fromkeys(found))


def _texts(name: str) -> list[str]:
    """TXT records; none where there is no such name. Raises what may pass."""
    try:
        return dns.txt(name)
    except (NoSuchName, NoRecords):
        return []


def _may_report(domain: str, target: str) -> bool:
    """Whether the host of target agreed to get reports about domain. (RFC 7489 §7.1)"""
    host = parse_path(target).domain
    if host == domain or host.endswith(f".{domain}"):
        return True
    texts = _texts(f"{domain}._report._dmarc.{host}")
    return any(re.match(r"v\s*=\s*DMARC1\s*(;|$)", text) for text in texts)


# --- TLS -------------------------------------------------------------------------------------------------


def _send_tls(day: dt.date, domain: str, author: str) -> tuple[State, str]:
    uris = tlsrpt.rua(_texts(f"_smtp._tls.{domain}"))
    if not uris:
        return State.UNWANTED, "No address"
    host = author.rpartition("@")[2]
    packed = gzip.compress(outbound.tlsrpt.report(day, domain), mtime=0)
    begin = int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp())
    name = f"{host}!{domain}!{begin}!{begin + 24 * 3600 - 1}.json.gz"
    report_id = f"{day.isoformat()}_{domain}@{settings.HOSTMAIL_HOSTNAME}"
    kind = ("multipart/report", (("report-type", "tlsrpt"),), "application/tlsrpt+gzip")
    problems = []
    for uri in uris:
        if uri.lower().startswith("mailto:"):
            target = uri.partition(":")[2]
            _mail(_message(author, target, domain, report_id, name, packed, kind), author, target)
            # One way is enough (RFC 8460 §3: any of them).
            return State.SENT, target
        try:
            answer = http.post(uri, packed, {"Content-Type": "application/tlsrpt+gzip"})
        except http.Failed as error:
            problems.append(str(error))
            continue
        if 200 <= answer.code < 300:
            return State.SENT, uri
        problems.append(f"{uri} says {answer.code}")
    return State.WAITING, "; ".join(problems)


# --- Mail ------------------------------------------------------------------------------------------------

Kind = tuple[str, tuple[tuple[str, str], ...], str]


def _message(
    author: str, target: str, domain: str, report_id: str, name: str, packed: bytes, kind: Kind
) -> bytes:
    """The mail that a report goes in. (RFC 7489 §7.2.1.1, RFC 8460 §5.3)"""
    host = author.rpartition("@")[2]
    media_type, params, file_type = kind
    boundary = f"=_{random_id()}"
    text = f"This is a report about {domain} from {host}. Programs read the file attached.\n"
    encoding, body = encode.text_body(text)
    parts = [
        encode.param_field("Content-Type", "text/plain", [("charset", "utf-8")])
        + encode.text_field("Content-Transfer-Encoding", encoding) + b"\r\n" + body,
        encode.param_field("Content-Type", file_type, [("name", name)])
        + encode.text_field("Content-Transfer-Encoding", "base64")
        + encode.param_field("Content-Disposition", "attachment", [("filename", name)])
        + b"\r\n" + encode.base64_body(packed),
    ]  # fmt: skip
    header = [
        encode.address_field("From", [("", author)]),
        encode.address_field("To", [("", target)]),
        encode.text_field("Subject", f"Report Domain: {domain} Submitter: {host} Report-ID: <{report_id}>"),
        encode.text_field("Date", date(clock.now())),
        encode.id_field("Message-ID", [f"{random_id()}.report@{host}"]),
        encode.text_field("Auto-Submitted", "auto-generated"),
        encode.text_field("MIME-Version", "1.0"),
    ]
    if dict(params).get("report-type") == "tlsrpt":
        header += [
            encode.text_field("TLS-Report-Domain", domain),
            encode.text_field("TLS-Report-Submitter", host),
        ]
    header.append(encode.param_field("Content-Type", media_type, [*params, ("boundary", boundary)]))
    _, content = fields.split(encode.multipart(media_type.partition("/")[2], parts, boundary))
    return b"".join(header) + b"\r\n" + content


def _mail(raw: bytes, author: str, target: str) -> None:
    """Send it, signed: to an address here at once, else by the queue. Raises what a recipient here raises."""
    raw = outbound.signed(raw, author)
    path = parse_path(target)
    box = taking.expected(path)
    if box is not None:
        own = author.rpartition("@")[2]
        delivery.deliver(taking.unit(box, raw, peer=own, sender=own))
        return
    prepared = messages.prepare(raw)
    route = addresses.route(path)
    if route.is_ours:
        addresses.judge(route)
        delivery.deliver(Unit([Mail(prepared, delivery.filings((hop, target) for hop in route.hops))]))
        return
    tenant_id = tenants.of_service().pk
    trace = random_id()

    def enqueue(content_ids: list[dict[int, int]]) -> None:
        queue.enqueue(
            tenant_id=tenant_id, mailbox_id=None, content_id=content_ids[0][tenant_id], trace=trace,
            source=Submission.Source.SYSTEM, reverse_path="", recipients=[target],
            needs_smtputf8=not target.isascii(),
        )  # fmt: skip

    delivery.deliver(Unit([Mail(prepared, [], keep_for=(tenant_id, None))], within=enqueue))


def prune() -> int:
    """Forget what became of old reports; how many went."""
    before = clock.now().date() - dt.timedelta(days=limits.TLSRPT_KEPT_DAYS)
    with transaction.atomic():
        gone, _kinds = OwedReport.objects.filter(day__lt=before).delete()
    return gone
