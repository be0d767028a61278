import pytest
from django.contrib import admin
from django.urls import reverse

from mailcore.models import AuditEntry, Mailbox, Tenant
from mailcore.services import relays
from tests.cast import Cast

PAGES = [model._meta.model_name for model in admin.site._registry]


@pytest.fixture
def cast(db) -> Cast:
    return Cast()


@pytest.fixture
def staff(client, cast):
    client.force_login(cast.stella)
    return client


def act(client, model: str, action: str, *rows):
    return client.post(
        reverse(f"admin:mailcore_{model}_changelist"),
        {"action": action, "_selected_action": [row.pk for row in rows]},
        follow=True,
    )


@pytest.mark.parametrize("model", PAGES)
def test_shows_every_list_and_row_to_staff(staff, model):
    assert staff.get(reverse(f"admin:mailcore_{model}_changelist")).status_code == 200
    for registered in admin.site._registry:
        if registered._meta.model_name == model and (row := registered.objects.first()):
            answer = staff.get(reverse(f"admin:mailcore_{model}_change", args=[row.pk]))
            assert answer.status_code == 200


@pytest.mark.parametrize("model", PAGES)
def test_shows_nothing_to_anybody_else(client, cast, model):
    url = reverse(f"admin:mailcore_{model}_changelist")
    assert client.get(url).status_code == 302
    client.force_login(cast.alice.user)
    assert client.get(url, follow=True).status_code == 403


def test_registers_nothing_that_goes_round_the_services():
    assert {model._meta.app_label for model in admin.site._registry} == {"mailcore"}


def test_greets_with_the_figures_of_the_service(staff):
    page = staff.get("/admin/").content.decode()
    assert "Waiting in the queue" in page


def test_suspends_and_resumes_through_the_services(staff, cast):
    act(staff, "tenant", "suspend", cast.alice.tenant)
    assert Tenant.objects.get(pk=cast.alice.tenant.pk).is_suspended
    entry = AuditEntry.objects.filter(tenant=cast.alice.tenant).latest("pk")
    assert (entry.verb, entry.actor_name) == ("tenant.suspend", str(cast.stella.email))
    act(staff, "tenant", "resume", cast.alice.tenant)
    assert not Tenant.objects.get(pk=cast.alice.tenant.pk).is_suspended


def test_changes_a_quota_and_nothing_else_of_a_mailbox(staff, cast):
    box = cast.alice.mailbox
    staff.post(
        reverse("admin:mailcore_mailbox_change", args=[box.pk]),
        {"quota_octets": 12_345_678, "used_octets": 0, "tenant": cast.charlie.tenant.pk, "_save": "1"}
        | {
            f"{prefix}-{name}_FORMS": 0
            for prefix in ("addresses", "accesses")
            for name in ("TOTAL", "INITIAL", "MIN_NUM", "MAX_NUM")
        },
    )
    changed = Mailbox.objects.get(pk=box.pk)
    assert (changed.quota_octets, changed.tenant_id) == (12_345_678, box.tenant_id)


def test_switches_relays_off_and_on_again(staff, cast):
    relay = relays.add(cast.alice.tenant, "relay.example.net", user="us", password="hunter2", actor=None)
    page = staff.get(reverse("admin:mailcore_relay_change", args=[relay.pk]))
    assert b"relay.example.net" in page.content
    shown = page.context["adminform"].readonly_fields
    assert "user" in shown
    assert "password" not in shown
    for action, is_on in (("switch_off", False), ("switch_on", True)):
        act(staff, "relay", action, relay)
        relay.refresh_from_db()
        assert relay.is_enabled is is_on
    assert AuditEntry.objects.filter(verb="relay.change", actor=cast.stella).count() == 2
