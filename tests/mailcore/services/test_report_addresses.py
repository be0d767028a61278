"""Addresses for reports."""

import pytest

from mailcore.errors import NoSuchAddress
from mailcore.message.address import parse_path
from mailcore.services import report_addresses


def test_names_a_domain_whatever_the_case():
    made = report_addresses.domain_address(7)
    assert made.startswith("reports+")
    assert report_addresses.read(parse_path(made)) == 7
    assert report_addresses.read(parse_path(made.upper())) == 7


@pytest.mark.parametrize("other", ["reports@localhost", "reports+x@localhost", "alice@localhost"])
def test_leaves_other_addresses_alone(other):
    assert report_addresses.read(parse_path(other)) is None


def test_is_nobody_elses_and_cannot_be_forged(settings):
    local = report_addresses.domain_address(7).partition("@")[0]
    assert report_addresses.read(parse_path(f"{local}@acme.test")) is None
    forged = local[:-3] + ("aaa" if not local.endswith("aaa") else "bbb")
    with pytest.raises(NoSuchAddress):
        report_addresses.read(parse_path(f"{forged}@localhost"))


def test_holds_under_a_former_secret_and_for_each_name_of_the_service(settings):
    local = report_addresses.domain_address(7).partition("@")[0]
    settings.HOSTMAIL_SERVICE_DOMAIN = "Hostmail.test"
    settings.HOSTMAIL_SECRET_KEY_OLD = [settings.HOSTMAIL_SECRET_KEY]
    settings.HOSTMAIL_SECRET_KEY = "another secret, long enough for anybody to use"
    assert report_addresses.read(parse_path(f"{local}@hostmail.test")) == 7
