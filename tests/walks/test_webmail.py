"""A person in webmail: writes to the outside, the answer shows up without a reload, is read and answered.

The whole service with its demo tenant, Chromium, a real name server and a real mail host on loopback.
"""

import email
import email.policy
import re
import smtplib

import pytest
from playwright.sync_api import Page, expect

from tests.fakes import FakeDNS, FakeRemote

pytestmark = pytest.mark.slow

BOB = "bob@demo.test"
RITA = "rita@remote.example"
PATIENCE = 30_000  # milliseconds; a busy machine takes its time


@pytest.fixture
def remote():
    with FakeRemote() as fake:
        yield fake


@pytest.fixture
def running(start_service, remote):
    with FakeDNS() as names:
        names.add_mail("remote.example", "mx.remote.example", "127.0.0.1")
        host, port = names.address
        env = {"HOSTMAIL_DNS_SERVERS": f"{host}:{port}", "HOSTMAIL_OUTBOUND_PORT": str(remote.port)}
        yield start_service("up", "--demo", env=env)


def sign_in(page: Page, running) -> None:
    page.goto(running.url)
    page.get_by_label("E-mail address").fill(BOB)
    page.get_by_label("Password", exact=True).fill(running.logins[BOB])
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile("/mail/"), timeout=PATIENCE)


def fits(page: Page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def parsed(raw: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)


def text(message: email.message.EmailMessage) -> str:
    return message.get_content().replace("\r\n", "\n")


def answer(running, to: email.message.EmailMessage) -> None:
    with smtplib.SMTP("127.0.0.1", running.ports["smtp"], timeout=20) as mx:
        mx.sendmail(
            RITA,
            [BOB],
            f"From: Rita Remote <{RITA}>\r\nTo: {BOB}\r\nSubject: Re: {to['Subject']}\r\n"
            f"Message-ID: <answer@remote.example>\r\nIn-Reply-To: {to['Message-ID']}\r\n"
            "Date: Tue, 24 Nov 2026 10:00:00 +0000\r\n\r\nYes, with pleasure.\r\n",
        )


def test_a_letter_goes_out_and_its_answer_comes_home(running, remote, page):
    sign_in(page, running)
    rows = page.locator("[data-row]")
    expect(rows.first).to_be_visible(timeout=PATIENCE)
    home = page.url.split("/folder/")[0].rstrip("/")

    # Bob is in a hurry: nothing waits to be taken back.
    page.goto(f"{home}/waiting/")
    page.locator("#id_undo_seconds").select_option("0")
    page.get_by_role("button", name="Save", exact=True).click()
    page.goto(f"{home}/compose/")
    page.locator("#id_to").fill(f"Rita <{RITA}>")
    page.locator("#id_subject").fill("Lunch on Friday?")
    page.locator("textarea[name=body]").fill("Shall we?\n\nBob")
    # It is kept while Bob looks for the button, and comes back after a reload.
    expect(page.locator("[data-saved]")).to_contain_text("Saved", timeout=PATIENCE)
    page.reload()
    expect(page.locator("textarea[name=body]")).to_have_value("Shall we?\n\nBob")
    page.get_by_role("button", name="Send", exact=True).click()
    (sent,) = remote.wait(1, 30)
    assert (sent.reverse_path, sent.recipients, sent.tls) == (BOB, [RITA], True)
    first = parsed(sent.raw)
    assert (first["Subject"], text(first)) == ("Lunch on Friday?", "Shall we?\n\nBob\n")
    assert "d=demo.test" in first["DKIM-Signature"]

    # The answer shows by itself, and takes nothing away from who is busy in the list.
    page.goto(home)
    ticked = page.locator("[data-row] input[name=uid]").last
    ticked.check()
    answer(running, first)
    row = page.locator("[data-row]", has_text="Re: Lunch on Friday?")
    expect(row).to_be_visible(timeout=PATIENCE)
    expect(ticked).to_be_checked()

    # What was archived comes back by the toast.
    page.keyboard.press("e")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#toasts")).to_contain_text("back", timeout=PATIENCE)
    expect(row).to_be_visible(timeout=PATIENCE)

    page.set_viewport_size({"width": 390, "height": 844})
    assert fits(page)
    row.locator("a.message__link").click()
    expect(page.locator(".reading")).to_contain_text("Yes, with pleasure.", timeout=PATIENCE)
    assert fits(page)
    reading = page.url
    for path in ("/compose/", "/folders/", "/?q=pleasure"):
        page.goto(home + path)
        expect(page.locator("form").first).to_be_attached()
        assert fits(page), path

    page.set_viewport_size({"width": 1280, "height": 800})
    page.goto(reading)
    page.get_by_role("link", name="Reply", exact=True).first.click()
    expect(page.locator("#id_to")).to_have_value(re.compile(re.escape(RITA)))
    body = page.locator("textarea[name=body]")
    assert "> Yes, with pleasure." in body.input_value()
    body.fill("See you there.\n\n" + body.input_value())
    page.get_by_role("button", name="Send", exact=True).click()
    second = parsed(remote.wait(2, 30)[1].raw)
    assert second["In-Reply-To"] == "<answer@remote.example>"
    assert second["References"].split() == [first["Message-ID"], "<answer@remote.example>"]
    assert second["Subject"] == "Re: Lunch on Friday?"
    assert text(second).startswith("See you there.\n")
