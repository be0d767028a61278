"""The hosts of our customers' MTA-STS policies serve that one file, and nothing of ours."""

import pytest
from django.test import Client

from mailcore.tlspolicy import mta_sts
from tests.cast import Cast

PATH = "/.well-known/mta-sts.txt"


@pytest.fixture
def client(db):
    Cast()
    return Client()


def test_serves_the_policy_of_a_domain_here(client):
    answer = client.get(PATH, headers={"Host": "mta-sts.acme.test:443"})
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].partition(";")[0] == "text/plain"
    assert mta_sts.parse_policy(answer.content.decode()).mode == "testing"
    assert not answer.cookies


@pytest.mark.parametrize(
    ("host", "path"),
    [
        ("mta-sts.acme.test", "/"),
        ("mta-sts.acme.test", "/accounts/login/"),
        ("mta-sts.nowhere.test", PATH),
        ("localhost", PATH),
    ],
)
def test_serves_nothing_else_there(client, host, path):
    assert client.get(path, headers={"Host": host}).status_code == 404


def test_believes_no_other_name_of_the_host(client):
    answer = client.get(PATH, headers={"Host": "localhost", "X-Forwarded-Host": "mta-sts.acme.test"})
    assert answer.status_code == 404
    assert client.post(PATH, headers={"Host": "mta-sts.acme.test"}).status_code == 404
