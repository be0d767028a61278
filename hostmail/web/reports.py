"""What others report about a domain: who sends in its name, and how encryption fares."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path

from hostmail.web import place
from mailcore.models import Domain, Tenant
from mailcore.services import reports
from mailcore.services.domains import required_records

DAYS = 30
_HEIGHT, _STEP = 100, 10


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the chart, in its own units: passed stands on failed."""

    x: int
    passed_y: int
    passed_height: int
    failed_y: int
    failed_height: int
    title: str


def bars(overview: reports.Overview) -> list[Bar]:
    """The days as bars; a count that is not zero is always seen."""
    most = max((day.passed + day.failed for day in overview.by_day), default=0) or 1
    made = []
    for number, day in enumerate(overview.by_day):
        failed = -(-day.failed * _HEIGHT // most)
        passed = min(-(-day.passed * _HEIGHT // most), _HEIGHT - failed)
        title = f"{day.day.isoformat()}: {day.passed} / {day.failed}"
        made.append(Bar(number * _STEP, _HEIGHT - failed - passed, passed, _HEIGHT - failed, failed, title))
    return made


@place.for_admins
def show(request: HttpRequest, tenant: Tenant, public_id: str) -> HttpResponse:
    mine = Domain.objects.visible_to(place.person(request)).filter(tenant=tenant)
    domain = get_object_or_404(mine, public_id=public_id)
    overview = reports.overview(domain, DAYS)
    context = {
        "tenant": tenant,
        "domain": domain,
        "overview": overview,
        "bars": bars(overview),
        "width": DAYS * _STEP,
        "newest": domain.reports.all()[:20],
        "records": [one for one in required_records(domain) if one.key in ("dmarc", "tlsrpt")],
    }
    return render(request, "web/reports.html", context)


routes = [path("o/<slug:slug>/domains/<slug:public_id>/reports/", show, name="domain_reports")]
