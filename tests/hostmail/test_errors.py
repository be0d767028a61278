"""A MailError becomes a page for people and a problem document for programs; a bug becomes a quiet 500."""

import json

import pytest
from django.http import Http404
from django.test import RequestFactory
from rest_framework import exceptions as rest

from hostmail import errors
from hostmail.middleware import MailErrors
from mailcore.errors import AlreadyExists, OverQuota, TooFast

BROWSER = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def request(path: str = "/", **headers: str):
    made = RequestFactory().get(path, headers=headers or BROWSER)
    made.id = "abcdefgh"
    return made


def test_people_get_a_page_with_the_status_and_the_request_id() -> None:
    answer = errors.answer(request(), AlreadyExists("That domain is here already"))
    assert answer.status_code == 409
    assert answer["Content-Type"].startswith("text/html")
    assert b"That domain is here already" in answer.content


def test_programs_get_a_problem_document() -> None:
    answer = errors.answer(request("/api/v1/domains"), OverQuota())
    assert answer["Content-Type"] == "application/problem+json"
    assert json.loads(answer.content) == {
        "type": "urn:hostmail:over_quota",
        "title": "Insufficient Storage",
        "status": 507,
        "code": "over_quota",
        "detail": "The mailbox is full",
    }


def test_says_when_to_come_back() -> None:
    assert errors.answer(request("/api/x"), TooFast())["Retry-After"] == "60"
    assert "Retry-After" not in errors.answer(request("/api/x"), OverQuota())


def test_only_a_mail_error_is_caught() -> None:
    middleware = MailErrors(lambda request: None)
    assert middleware.process_exception(request(), ValueError("our bug")) is None
    answer = middleware.process_exception(request(), OverQuota())
    assert answer is not None
    assert answer.status_code == 507


@pytest.mark.parametrize(
    ("view", "status"),
    [(errors.bad_request, 400), (errors.forbidden, 403), (errors.not_found, 404)],
)
def test_error_pages_tell_nothing_of_the_cause(view, status: int) -> None:
    answer = view(request("/secret"), Http404("database says no"))
    assert answer.status_code == status
    assert b"database says no" not in answer.content


def test_the_page_for_our_own_bugs_works() -> None:
    answer = errors.server_error(request())
    assert answer.status_code == 500
    assert b"abcdefgh" in answer.content


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (OverQuota(), 507, "over_quota"),
        (Http404(), 404, "not_found"),
        (rest.NotAuthenticated(), 401, "not_authenticated"),
        (rest.PermissionDenied(), 403, "permission_denied"),
        (rest.ParseError(), 400, "parse_error"),
        (rest.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (rest.Throttled(wait=7), 429, "too_fast"),
    ],
)
def test_the_api_says_every_failure_as_a_problem(error: Exception, status: int, code: str) -> None:
    answer = errors.api_handler(error, {})
    assert answer is not None
    assert (answer.status_code, answer.data["code"], answer.data["status"]) == (status, code, status)
    assert answer.content_type == "application/problem+json"


def test_the_api_names_the_fields_that_are_wrong() -> None:
    answer = errors.api_handler(rest.ValidationError({"name": ["is needed"]}), {})
    assert answer is not None
    assert answer.data["errors"] == {"name": ["is needed"]}


def test_the_api_logs_a_bug_and_says_no_more(caplog: pytest.LogCaptureFixture) -> None:
    answer = errors.api_handler(ZeroDivisionError("7 / 0"), {})
    assert answer is not None
    assert answer.status_code == 500
    assert "7 / 0" not in str(answer.data)
    assert "ZeroDivisionError" in caplog.text
