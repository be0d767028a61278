"""The MTA-STS policies that we publish in our customers' names. RFC 8461 §3.

A domain's policy names our mail host and the mode that its owner chose. Who asks https://mta-sts.DOMAIN/ gets
it through hostmail.policies; the record that announces it is one of those in dns_records.
"""

from __future__ import annotations

import hashlib
from urllib.parse import urlsplit

from django.conf import settings

from mailcore import limits
from mailcore.errors import BadAddress, BadValue
from mailcore.message.address import normalise_domain
from mailcore.models import Domain, User
from mailcore.outside import reach
from mailcore.services import audit, races
from mailcore.tlspolicy.mta_sts import Mode, Policy

PREFIX = "mta-sts."


def policy(domain: Domain) -> Policy:
    """What others shall demand of the host that takes the domain's mail."""
    # A mistake in testing is over within a day; what is enforced shall outlast an attack.
    is_enforced = domain.sts_mode == Domain.STSMode.ENFORCE
    age = limits.STS_OUR_AGE_SECONDS if is_enforced else limits.STS_OUR_TESTING_SECONDS
    return Policy(Mode(domain.sts_mode), age, (settings.HOSTMAIL_HOSTNAME.lower(),))


def record_value(domain: Domain) -> str:
    """The TXT record of _mta-sts: its id changes when the policy does, and only then."""
    return f"v=STSv1; id={hashlib.sha256(policy(domain).text.encode()).hexdigest()[:20]}"


def web_host() -> str:
    """The host that answers for mta-sts.DOMAIN: that of the control panel."""
    public = urlsplit(settings.HOSTMAIL_PUBLIC_URL).hostname or ""
    return public if "." in public and not reach.is_address(public) else str(settings.HOSTMAIL_HOSTNAME)


def served(host: str) -> str | None:
    """The policy file for who asks the host of that name, None for a host that has none.

    Only a proven domain has one: whoever merely claims a name may demand nothing for it.
    """
    if not host.lower().startswith(PREFIX):
        return None
    try:
        name = normalise_domain(host[len(PREFIX) :])
    except BadAddress:
        return None
    domain = Domain.objects.filter(name=name, state=Domain.State.VERIFIED).first()
    return policy(domain).text if domain is not None else None


def set_mode(domain: Domain, mode: str, *, actor: User | None) -> None:
    """Choose what others shall demand: none, testing or enforce. Raises BadValue."""
    if mode not in Domain.STSMode.values:
        raise BadValue("The choices are none, testing and enforce")
    with races.change():
        Domain.objects.filter(pk=domain.pk).update(sts_mode=mode)
        audit.record(actor, "domain.sts_mode", domain, data={"mode": mode})
    domain.refresh_from_db(fields=["sts_mode"])
