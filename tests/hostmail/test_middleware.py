"""Every answer has its request id and its Content-Security-Policy; health is answered to anybody."""

import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from hostmail import health
from hostmail.middleware import HEADER, ContentSecurityPolicy, RequestId, content_security_policy


def through(middleware: type, view, path: str = "/") -> HttpResponse:
    return middleware(view)(RequestFactory().get(path))


def test_the_policy_allows_nothing_inline_or_foreign() -> None:
    policy = through(ContentSecurityPolicy, lambda request: HttpResponse()).headers[HEADER]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "base-uri 'none'" in policy


def test_a_view_may_have_its_own_policy() -> None:
    @content_security_policy(frame_ancestors="'self'", sandbox="", img_src="data:")
    def frame(request) -> HttpResponse:
        return HttpResponse()

    answer = through(ContentSecurityPolicy, frame)
    directives = dict(
        part.split(" ", 1) if " " in part else (part, "") for part in answer.headers[HEADER].split("; ")
    )
    assert directives["frame-ancestors"] == "'self'"
    assert directives["sandbox"] == ""
    assert directives["img-src"] == "data:"
    assert directives["script-src"] == "'self'"
    assert answer.headers["X-Frame-Options"] == "SAMEORIGIN"


def test_the_staff_admin_has_the_policy_its_theme_needs_and_no_other_page_has_it() -> None:
    assert (
        "unsafe-eval" in through(ContentSecurityPolicy, lambda r: HttpResponse(), "/admin/x").headers[HEADER]
    )
    assert (
        "unsafe"
        not in through(ContentSecurityPolicy, lambda r: HttpResponse(), "/administrators").headers[HEADER]
    )


def test_every_request_has_a_name_of_its_own() -> None:
    seen = set()

    def view(request) -> HttpResponse:
        seen.add(request.id)
        return HttpResponse()

    answers = {through(RequestId, view).headers["X-Request-Id"] for _ in range(3)}
    assert answers == seen
    assert len(seen) == 3


def test_health_is_answered_whatever_the_host_is_called(client: Client) -> None:
    answer = client.get("/healthz", headers={"host": "10.1.2.3"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_ready_when_the_database_answers(client: Client) -> None:
    answer = client.get("/readyz", headers={"host": "10.1.2.3"})
    assert answer.status_code == 200
    assert answer.json()["checks"]["database"] == "ok"
    assert not answer.cookies


def test_not_ready_without_a_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = health.Check("database", health.BROKEN, "secret host does not answer", "look there")
    monkeypatch.setattr(health, "readiness", lambda: [broken])
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert b"secret host" not in answer.content


def test_a_foreign_host_name_is_refused(client: Client) -> None:
    assert client.get("/accounts/login/", headers={"host": "evil.example"}).status_code == 400
