"""The third walk of the style guide, whole: a customer adds a domain and it turns green.

They sign up, publish what the page says, create a mailbox, and its person signs in. The whole service,
Chromium, and a real name server on loopback.
"""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.cast import PASSWORD
from tests.fakes import FakeDNS
from tests.service import Service

DOMAIN = "paper-shop.example"
SECONDS = 30_000


@pytest.fixture
def names():
    with FakeDNS() as fake:
        fake.set(DOMAIN, "A", ["127.0.0.1"])
        yield fake


@pytest.fixture
def running(start_service, names) -> Service:
    host, port = names.address
    return start_service("up", env={"HOSTMAIL_DNS_SERVERS": f"{host}:{port}"})


def publish(page: Page, names: FakeDNS) -> int:
    """Do what the page says, as a person would: copy each record into the zone."""
    zone: dict[tuple[str, str], list[str]] = {}
    for record in page.locator(".record").all():
        kind = record.locator(".record__type").inner_text().strip()
        lines = dict(
            zip(
                record.locator("dt").all_inner_texts(),
                (text.strip() for text in record.locator("dd").all_inner_texts()),
                strict=True,
            )
        )
        host = DOMAIN if lines["Name"] == "@" else f"{lines['Name']}.{DOMAIN}"
        value = f"{lines['Priority']} {lines['Value']}" if "Priority" in lines else lines["Value"]
        zone.setdefault((host, kind), []).append(value)
    for (host, kind), values in zone.items():
        names.set(host, kind, values)
    return sum(map(len, zone.values()))


@pytest.mark.once
def test_a_domain_turns_green_and_its_mailbox_signs_in(running, names, page):
    page.goto(running.url)
    page.get_by_role("link", name="Create an organisation").click()
    page.get_by_label("Organisation").fill("Paper Shop & Daughters")
    page.get_by_label("Email").fill("olga@elsewhere.example")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Create it").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Paper Shop & Daughters")

    page.get_by_role("link", name="Add your domain").click()
    page.get_by_label("Domain").fill(DOMAIN.upper())
    page.get_by_role("button", name="Add domain").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(DOMAIN)
    # The first look, in the background, finds nothing; the page shows it by itself.
    expect(page.locator(".record").first).to_contain_text("Missing", timeout=SECONDS)

    assert publish(page, names) >= 6
    page.get_by_role("button", name="Check now").click()
    expect(page.locator("#records .badge").first).to_have_text("Verified", timeout=SECONDS)
    for record in page.locator(".record").all():
        expect(record.locator(".record__state")).to_have_text(re.compile("Fine"), timeout=SECONDS)

    page.get_by_role("link", name="Mailboxes").click()
    page.get_by_role("link", name="Create mailbox").first.click()
    page.get_by_label("Address").fill("pia")
    page.get_by_label("Name").fill("Pia Paper")
    page.get_by_role("button", name="Create").click()
    password = page.locator("[data-copy]").get_attribute("data-copy")
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"pia@{DOMAIN}")

    page.locator("details.menu--up > summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.goto(running.url)
    page.get_by_label("E-mail address").fill(f"Pia@{DOMAIN}")
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile("/mail/"))
