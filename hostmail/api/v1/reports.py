"""Reports about a domain, added up; a part of the domains resource."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rest_framework import serializers

from mailcore import limits
from mailcore.models import Domain
from mailcore.services import reports
from mailcore.services.dns_records import required_records


class Days(serializers.Serializer[Any]):
    days = serializers.IntegerField(
        min_value=1, max_value=limits.REPORT_KEPT_DAYS, default=30, help_text="So many, today included"
    )


class SourceShown(serializers.Serializer[Any]):
    """Mail from one address; passed is by DMARC, dkim and spf are its two ways."""

    address = serializers.CharField()
    is_own = serializers.BooleanField(help_text="It left from this service")
    count = serializers.IntegerField()
    passed = serializers.IntegerField()
    dkim = serializers.IntegerField()
    spf = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    rejected = serializers.IntegerField()
    reporters = serializers.IntegerField()


class DayShown(serializers.Serializer[Any]):
    day = serializers.DateField()
    passed = serializers.IntegerField()
    failed = serializers.IntegerField()


class TLSShown(serializers.Serializer[Any]):
    """Connections that went the same way; result is empty for those that went well (RFC 8460 §4.3)."""

    result = serializers.CharField()
    policy_type = serializers.CharField()
    host = serializers.CharField()
    count = serializers.IntegerField()
    last_at = serializers.DateTimeField()


class ReportsShown(serializers.Serializer[Any]):
    days = serializers.IntegerField()
    publish = serializers.DictField(
        child=serializers.CharField(), help_text="Records by host that make others report here"
    )
    sources = SourceShown(many=True)
    by_day = DayShown(many=True)
    tls = TLSShown(many=True)


def shown(domain: Domain, asked: Days) -> dict[str, Any]:
    """The answer for one domain. Raises ValidationError."""
    asked.is_valid(raise_exception=True)
    overview = reports.overview(domain, asked.validated_data["days"])
    records = [one for one in required_records(domain) if one.key in ("dmarc", "tlsrpt")]
    values = asdict(overview) | {"publish": {one.host: one.value for one in records}}
    return dict(ReportsShown(values).data)
