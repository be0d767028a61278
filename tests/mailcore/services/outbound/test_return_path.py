"""Return paths that only we can make."""

import pytest

from mailcore import limits
from mailcore.errors import NoSuchAddress
from mailcore.message.address import parse_path
from mailcore.services.outbound import return_path
from tests.fakes import FakeClock


@pytest.fixture(autouse=True)
def clock():
    with FakeClock() as fake:
        yield fake


def read(address):
    return return_path.read(parse_path(address))


@pytest.mark.parametrize("entry", [1, 77, 2**47])
def test_reads_back_what_it_made_in_any_case(entry):
    made = return_path.make(entry, "acme.test")
    assert read(made) == entry
    local, _, domain = made.partition("@")
    assert read(f"{local.upper()}@{domain.upper()}") == entry
    assert len(local) <= limits.LOCAL_PART_OCTETS


def test_takes_other_addresses_for_what_they_are():
    assert read("bounce@acme.test") is None
    assert read("bounce+tag@acme.test") is None
    assert read("alice+bounce@acme.test") is None


@pytest.mark.parametrize("place", [7, 12, 20, 28, 34])
def test_refuses_what_was_changed_anywhere(place):
    local, _, domain = return_path.make(5, "acme.test").partition("@")
    letter = "a" if local[place] != "a" else "b"
    with pytest.raises(NoSuchAddress):
        read(f"{local[:place]}{letter}{local[place + 1 :]}@{domain}")


def test_is_good_for_its_own_domain_alone():
    made = return_path.make(5, "acme.test")
    with pytest.raises(NoSuchAddress):
        read(made.replace("acme.test", "charlie.test"))


def test_expires(clock):
    made = return_path.make(5, "acme.test")
    clock.advance(limits.RETURN_PATH_DAYS * 24 * 3600)
    assert read(made) == 5
    clock.advance(24 * 3600)
    with pytest.raises(NoSuchAddress, match="too old"):
        read(made)


def test_is_still_read_after_the_secret_was_changed(settings):
    made = return_path.make(5, "acme.test")
    settings.HOSTMAIL_SECRET_KEY_OLD = [settings.HOSTMAIL_SECRET_KEY]
    settings.HOSTMAIL_SECRET_KEY = "a new secret of enough letters to be one"
    assert read(made) == 5
