"""Broken constraints become the right words; anything else is our bug and stays one."""

import pytest
from django.db import IntegrityError, connection

from mailcore.errors import AlreadyExists, NotAllowedNow, NotFound
from mailcore.models import Membership, Tenant
from mailcore.services import races
from tests.cast import make_tenant, make_user

pytestmark = pytest.mark.django_db


def test_says_taken_and_rolls_back():
    make_tenant("A", slug="a")
    with pytest.raises(NotAllowedNow, match="other words"):
        with races.change(NotAllowedNow("other words")):
            Tenant.objects.create(name="B", slug="b")
            Tenant.objects.create(name="C", slug="a")
    assert [tenant.slug for tenant in Tenant.objects.all()] == ["a"]
    with pytest.raises(AlreadyExists):
        with races.change():
            Tenant.objects.create(name="C", slug="a")


@pytest.mark.django_db(transaction=True)
def test_says_not_found_when_what_is_referred_to_went_away():
    user = make_user("a@x.test")
    with pytest.raises(NotFound):
        with races.change():
            Membership.objects.create(tenant_id=4711, user=user)


def test_leaves_our_own_bugs_alone():
    with pytest.raises(IntegrityError):
        with races.change():
            connection.cursor().execute("INSERT INTO tenant (slug) VALUES ('x')")
