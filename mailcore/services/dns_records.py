"""Which records a domain should have, and what a look at DNS says about each. One list for all.

The page, the API, the zone file and the checker read required_records(), so help and check cannot disagree.
Nothing here writes or waits: check() in domains.py asks DNS and hands the answers to judge_record().
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from django.conf import settings
from django.utils.translation import gettext as _

from mailcore.errors import LookupFailed, MailError, NoRoute
from mailcore.models import Domain
from mailcore.outside.lookups import Answer, Outcome
from mailcore.services import report_addresses, sts_hosting
from mailcore.tlspolicy import mta_sts

OWNERSHIP_LABEL = "_hostmail"
OWNERSHIP_PREFIX = "hostmail-verification="
TTL = 3600

OK, MISSING, DIFFERS, SEVERAL, LATER = "ok", "missing", "differs", "several", "later"


@dataclass(frozen=True, slots=True)
class Record:
    """One record to publish.

    key names it for good; host is its whole name, name what a DNS form wants ("@" for the domain itself).
    """

    key: str
    purpose: str
    host: str
    name: str
    type: str
    value: str
    ttl: int
    required: bool
    explanation: str


@dataclass(slots=True)
class Finding:
    """What a check found: state is ok, missing, differs, several or later; seen is what DNS had."""

    state: str
    seen: list[str] = field(default_factory=list)
    explanation: str = ""
    fix: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def required_records(domain: Domain) -> list[Record]:
    """The records of a domain in the order of their use; values merge what the last check has seen."""

    def record(
        key: str, purpose: str, label: str, type_: str, value: str, explanation: str, *, required: bool = True
    ) -> Record:
        host = f"{label}.{domain.name}" if label else domain.name
        return Record(key, purpose, host, label or "@", type_, value, TTL, required, explanation)

    records = [
        record(
            "ownership", _("Proof that the domain is yours"), OWNERSHIP_LABEL, "TXT", ownership_value(domain),
            _("Only who runs the domain can publish this text. Until we see it, the domain neither receives"
              " nor sends mail. Leave it there: we look again from time to time."),
            required=not domain.is_trusted,
        ),
        record(
            "mx", _("Mail comes to us"), "", "MX", f"10 {settings.HOSTMAIL_HOSTNAME}",
            _("Tells the world which server takes mail for your domain. Remove other MX records, or part of"
              " your mail will go elsewhere."),
        ),
        record(
            "spf", _("We may send for you (SPF)"), "", "TXT", spf_value(_seen(domain, "spf")),
            _("Lists the servers that may send mail from your domain. A domain has only one such record:"
              " if there is one already, change it to this, which keeps what it allows."),
        ),
    ]  # fmt: skip
    records += [
        record(
            f"dkim:{key.selector}",
            _("Signature key (DKIM, %(kind)s)") % {"kind": key.get_algorithm_display()},
            f"{key.selector}._domainkey", "TXT", key.public,
            _("With this key others can check that mail from your domain was signed by us and not changed"
              " on its way."),
        )
        for key in domain.dkim_keys.filter(retired_at=None).order_by("pk")
    ]  # fmt: skip
    records.append(
        record(
            "dmarc", _("What others do with forgeries (DMARC)"), "_dmarc", "TXT",
            dmarc_value(_seen(domain, "dmarc"), report_addresses.domain_address(domain.pk)),
            _("Says what to do with mail that only pretends to come from you. p=none changes nothing yet;"
              " once all your mail is signed, quarantine or reject protects your name. Reports of other hosts"
              " come to the address in it, and you see them here."),
        )
    )  # fmt: skip
    records.append(
        record(
            "tlsrpt", _("Others report how encryption fares (TLS reports)"), "_smtp._tls", "TXT",
            tlsrpt_value(report_addresses.domain_address(domain.pk)),
            _("Hosts that write to you then tell when encryption with our servers failed; you see it here."),
            required=False,
        )
    )  # fmt: skip
    if domain.sts_mode != Domain.STSMode.NONE:
        records += [
            record(
                "sts", _("Others write to us encrypted (MTA-STS)"), "_mta-sts", "TXT",
                sts_hosting.record_value(domain),
                _("Tells that there is a policy, which we publish for you: hosts that write to you do it"
                  " encrypted, and check who we are. Change the record whenever you choose another mode."),
                required=False,
            ),
            record(
                "stshost", _("Where others find that policy"), "mta-sts", "CNAME", sts_hosting.web_host(),
                _("We answer there with the policy of your domain. Others only believe it over HTTPS, with a"
                  " certificate for this name: ask the operator of this service whether there is one."),
                required=False,
            ),
        ]  # fmt: skip
    for service, port in service_ports():
        records.append(
            record(
                f"srv:{service}", _("Mail programs find their settings"), f"_{service}._tcp", "SRV",
                f"0 1 {port} {settings.HOSTMAIL_HOSTNAME}",
                _("With this, mail programs that look for it need only an address and a password."),
                required=False,
            )
        )  # fmt: skip
    return records


def service_ports() -> list[tuple[str, int]]:
    """Names of RFC 6186 and RFC 8314 with the ports we listen on."""
    return [
        ("imaps", settings.HOSTMAIL_IMAPS_PORT),
        ("submissions", settings.HOSTMAIL_SUBMISSIONS_PORT),
        ("submission", settings.HOSTMAIL_SUBMISSION_PORT),
        ("pop3s", settings.HOSTMAIL_POP3S_PORT),
    ]


def ownership_value(domain: Domain) -> str:
    return OWNERSHIP_PREFIX + domain.token


def _seen(domain: Domain, key: str) -> str:
    """The one record of a kind that the last check saw, or ""."""
    seen = domain.findings.get(key, {}).get("seen", [])
    return seen[0] if len(seen) == 1 else ""


# --- SPF and DMARC, merged with what is there ------------------------------------------------------------


def spf_mechanisms() -> list[str]:
    """What allows us to send: our addresses, or those of our host name."""
    found = []
    for text in settings.HOSTMAIL_OUTBOUND_ADDRESSES:
        version = ipaddress.ip_network(text).version
        found.append(f"ip{version}:{text}")
    sources = settings.HOSTMAIL_SOURCE_ADDRESSES
    if not found and all(source.pool for source in sources):
        found.append(f"a:{settings.HOSTMAIL_HOSTNAME}")
    own = [f"ip{ipaddress.ip_address(source.address).version}:{source.address}" for source in sources]
    return list(dict.fromkeys([*found, *own]))


def spf_value(existing: str = "") -> str:
    """Our SPF record; with an existing one, that one and what it lacks, put in front."""
    terms = existing.split()[1:] if is_spf(existing) else ["~all"]
    lacking = [mechanism for mechanism in spf_mechanisms() if not _allows(terms, mechanism)]
    return " ".join(["v=spf1", *lacking, *terms])


def is_spf(text: str) -> bool:
    """Whether a TXT record is an SPF record. (RFC 7208 §4.5)"""
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def _allows(terms: Sequence[str], mechanism: str) -> bool:
    for term in terms:
        word = term.lower().removeprefix("+")
        if word == mechanism.lower() or _covers(word, mechanism):
            return True
        if re.fullmatch(r"[-~?]?all", word):
            return False  # nothing after it is looked at (RFC 7208 §5.1)
    return False


def _covers(word: str, mechanism: str) -> bool:
    kind, _colon, text = mechanism.partition(":")
    its_kind, _colon, its_text = word.partition(":")
    if kind not in ("ip4", "ip6") or its_kind != kind:
        return False
    try:
        wanted, given = ipaddress.ip_network(text), ipaddress.ip_network(its_text, strict=False)
    except ValueError:
        return False
    return wanted.version == given.version and wanted.subnet_of(given)  # type: ignore[arg-type]


def is_dmarc(text: str) -> bool:
    """Whether a TXT record is a DMARC record. (RFC 7489 §6.3)"""
    return re.match(r"v\s*=\s*DMARC1\s*(;|$)", text) is not None


def dmarc_value(existing: str = "", reports_to: str = "") -> str:
    """A record that begins gently, or the existing one if it says something, with reports to us as well."""
    value = existing if is_dmarc(existing) and _dmarc_policy(existing) else "v=DMARC1; p=none"
    if not reports_to or reports_to.lower() in value.lower():
        return value
    uri = f"mailto:{reports_to}"
    if re.search(r";\s*rua\s*=", value, re.IGNORECASE):
        return re.sub(r"(;\s*rua\s*=[^;]*?)\s*(?=;|$)", rf"\1,{uri}", value, count=1, flags=re.IGNORECASE)
    return f"{value.rstrip('; ')}; rua={uri}"


def tlsrpt_value(reports_to: str) -> str:
    """The record that asks for TLS reports. (RFC 8460 §3)"""
    return f"v=TLSRPTv1; rua=mailto:{reports_to}"


def _tags(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, equals, value in pairs if equals}


def _dmarc_policy(text: str) -> str:
    policy = _tags(text).get("p", "").lower()
    return policy if policy in ("none", "quarantine", "reject") else ""


# --- Judging ---------------------------------------------------------------------------------------------


def judge_record(record: Record, outcome: Outcome) -> Finding:
    """What a lookup at record.host says about it."""
    if isinstance(outcome, LookupFailed | NoRoute):
        return Finding(
            LATER,
            explanation=_("The name servers of the domain did not answer."),
            fix=_("We look again by ourselves. If it stays like this, ask who runs your DNS."),
        )
    seen = sorted(outcome.records, key=_order) if isinstance(outcome, Answer) else []
    kind = record.key.partition(":")[0]
    found = _JUDGES[kind](record, seen)
    found.seen = [text[:1000] for text in found.seen[:10]]
    if found.state == MISSING and not found.fix:
        found.fix = _("Add a %(type)s record with the name %(name)s and the value shown.") % {
            "type": record.type, "name": record.name,
        }  # fmt: skip
        found.explanation = found.explanation or _("There is no such record at %(host)s.") % {
            "host": record.host
        }
    elif found.state == DIFFERS and not found.fix:
        found.fix = _("Change the record at %(host)s to the value shown.") % {"host": record.host}
    return found


def _order(text: str) -> tuple[int, str]:
    """MX by preference; servers give records in any order, people want to see the same each time."""
    number = text.partition(" ")[0]
    return (int(number) if re.fullmatch("[0-9]{1,5}", number) else 0), text


def _judge_ownership(record: Record, seen: list[str]) -> Finding:
    ours = [text for text in seen if text.strip().strip('"').lower() == record.value]
    if ours:
        return Finding(OK, ours, _("The domain is yours."))
    others = [text for text in seen if text.lower().startswith(OWNERSHIP_PREFIX)]
    if others:
        return Finding(
            DIFFERS, others, _("The text there is of another organisation or of an earlier claim.")
        )
    if seen:
        return Finding(DIFFERS, seen, _("There is a text, but not the one we look for."))
    return Finding(MISSING)


def _judge_mx(record: Record, seen: list[str]) -> Finding:
    hosts = [text.rpartition(" ")[2].rstrip(".").lower() for text in seen]
    ours = settings.HOSTMAIL_HOSTNAME.lower()
    if not seen:
        return Finding(MISSING)
    if set(hosts) == {ours}:
        return Finding(OK, seen, _("Mail for the domain comes to us."))
    if hosts == ["."] or hosts == [""]:
        return Finding(DIFFERS, seen, _("The record says that the domain accepts no mail at all."))
    if ours in hosts:
        return Finding(
            DIFFERS, seen, _("Other servers are listed beside ours: part of the mail may go there."),
            _("Remove the other MX records."),
        )  # fmt: skip
    return Finding(
        DIFFERS, seen, _("Mail for the domain still goes to another provider."),
        _("When you are ready to move, replace these MX records by the one shown."),
    )  # fmt: skip


def _judge_spf(record: Record, seen: list[str]) -> Finding:
    found = [text for text in seen if is_spf(text)]
    if not found:
        return Finding(MISSING)
    if len(found) > 1:
        return Finding(
            SEVERAL, found, _("There are several SPF records; others then ignore all of them."),
            _("Keep one that joins them, and remove the rest."),
        )  # fmt: skip
    terms = found[0].split()[1:]
    if any(term.lower() in ("all", "+all") for term in terms):
        return Finding(
            DIFFERS, found, _("The record ends in +all: it lets everybody send in your name."),
            _("Change +all to ~all, and see that it allows us as shown."),
        )  # fmt: skip
    if all(_allows(terms, mechanism) for mechanism in spf_mechanisms()):
        return Finding(OK, found, _("We may send for the domain."))
    return Finding(
        DIFFERS, found, _("The record does not allow our servers to send."),
        _("Change it to: %(value)s") % {"value": spf_value(found[0])},
    )  # fmt: skip


def _judge_dkim(record: Record, seen: list[str]) -> Finding:
    wanted = _key_of(record.value)
    if not seen:
        return Finding(MISSING)
    if len(seen) > 1:
        return Finding(
            SEVERAL, seen, _("There are several records at this name; only one may be there."),
            _("Remove all but the one shown."),
        )  # fmt: skip
    if _key_of(seen[0]) == wanted:
        return Finding(OK, seen, _("Others can check our signatures."))
    if wanted.startswith(_key_of(seen[0])) and _key_of(seen[0]):
        return Finding(
            DIFFERS, seen, _("The key was cut off. Some forms take only 255 characters in one piece."),
            _("Enter the whole value; if the form wants it, in pieces within quotation marks."),
        )  # fmt: skip
    return Finding(DIFFERS, seen, _("Another key is published at this name."))


def _key_of(text: str) -> str:
    """The p= value, without the white space that DNS forms add."""
    return re.sub(r"[\s\"]", "", _tags(text).get("p", ""))


def _judge_dmarc(record: Record, seen: list[str]) -> Finding:
    found = [text for text in seen if is_dmarc(text)]
    if not found:
        return Finding(MISSING)
    if len(found) > 1:
        return Finding(
            SEVERAL, found, _("There are several DMARC records; others then ignore all of them."),
            _("Keep one of them."),
        )  # fmt: skip
    if not _dmarc_policy(found[0]):
        return Finding(DIFFERS, found, _("The record says no policy: p= is missing or unknown."))
    if _dmarc_policy(found[0]) == "none":
        return Finding(OK, found, _("Others report, and change nothing yet."))
    return Finding(OK, found, _("Others keep out mail that only pretends to come from you."))


def _judge_tlsrpt(record: Record, seen: list[str]) -> Finding:
    found = [text for text in seen if text.startswith("v=TLSRPTv1")]
    if not found:
        return Finding(MISSING)
    if len(found) > 1:
        return Finding(
            SEVERAL, found, _("There are several records for TLS reports; others then ignore all of them."),
            _("Keep one of them."),
        )  # fmt: skip
    wanted = record.value.partition("rua=")[2]
    if wanted.lower() in found[0].lower():
        return Finding(OK, found, _("Others report to us, and you see it here."))
    return Finding(DIFFERS, found, _("Reports go to another address, so none are shown here."))


def _judge_sts(record: Record, seen: list[str]) -> Finding:
    found = [text for text in seen if text.startswith("v=STSv1")]
    if not found:
        return Finding(MISSING)
    if len(found) > 1:
        return Finding(
            SEVERAL, found, _("There are several MTA-STS records; others then ignore all of them."),
            _("Keep one of them."),
        )  # fmt: skip
    if mta_sts.record_id(found) == mta_sts.record_id([record.value]):
        return Finding(OK, found, _("Others know of the policy."))
    return Finding(DIFFERS, found, _("The record is that of another policy, or of an earlier mode."))


def _judge_stshost(record: Record, seen: list[str]) -> Finding:
    if not seen:
        return Finding(MISSING)
    if seen[0].rstrip(".").lower() == record.value.lower():
        return Finding(OK, seen, _("Others find the policy with us."))
    return Finding(DIFFERS, seen, _("The name leads to another host."))


def _judge_srv(record: Record, seen: list[str]) -> Finding:
    wanted = record.value.split()[2:]
    for text in seen:
        words = text.lower().split()
        if len(words) == 4 and [words[2], words[3].rstrip(".")] == [wanted[0], wanted[1].lower()]:
            return Finding(OK, seen, _("Mail programs find us."))
    return Finding(DIFFERS, seen, _("The record names another server or port.")) if seen else Finding(MISSING)


_JUDGES = {
    "ownership": _judge_ownership,
    "mx": _judge_mx,
    "spf": _judge_spf,
    "dkim": _judge_dkim,
    "dmarc": _judge_dmarc,
    "tlsrpt": _judge_tlsrpt,
    "sts": _judge_sts,
    "stshost": _judge_stshost,
    "srv": _judge_srv,
}


def zone_text(domain: Domain) -> str:
    """The records as lines of a zone file. (RFC 1035 §5)"""
    lines = [f"; {domain.name}", f"$TTL {TTL}"]
    for record in required_records(domain):
        value = record.value
        if record.type == "TXT":
            value = _quoted(value)
        elif not value.endswith("."):
            value += "."
        lines.append(f"{record.host}.\t{record.ttl}\tIN\t{record.type}\t{value}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Character strings of at most 255 octets. (RFC 1035 §3.3)"""
    escaped = [re.sub(r'(["\\])', r"\\\1", text[start : start + 255]) for start in range(0, len(text), 255)]
    return " ".join(f'"{piece}"' for piece in escaped)


def failure_for_all(records: Sequence[Record], error: MailError) -> dict[str, Finding]:
    """One failure that stands for every record: the zone itself could not be found or asked."""
    return {record.key: judge_record(record, error) for record in records}
