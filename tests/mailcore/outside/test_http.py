"""Posts to addresses that customers name."""

import http.server
import threading

import pytest

from mailcore import limits
from mailcore.errors import BadValue
from mailcore.outside import http as door
from tests.fakes import FakeDNS


class Program(http.server.BaseHTTPRequestHandler):
    """A customer's program; server.answer is what it says, server.got what it was told."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        code, headers, text = self.server.answer
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


@pytest.fixture
def program(settings):
    settings.HOSTMAIL_PRIVATE_TARGETS = "allow"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Program) as server, FakeDNS() as names:
        names.add_host("hooks.example.org", "127.0.0.1")
        server.names = names
        server.answer, server.got = (200, {}, b"thanks"), []
        server.url = f"http://hooks.example.org:{server.server_port}/in?x=1"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_posts_and_says_what_the_other_side_said(program):
    assert door.post(program.url, b"{}", {"X-A": "1"}) == door.Answer(200, "thanks")
    ((path, headers, body),) = program.got
    assert (path, body, headers["X-A"]) == ("/in?x=1", b"{}", "1")
    assert headers["Host"] == f"hooks.example.org:{program.server_port}"


def test_follows_no_redirect_and_reads_little(program):
    program.answer = (302, {"Location": program.url}, b"a" * 10 * limits.WEBHOOK_ANSWER_OCTETS)
    answer = door.post(program.url, b"{}", {})
    assert (answer.code, len(answer.text)) == (302, limits.WEBHOOK_ANSWER_OCTETS)
    assert len(program.got) == 1


def test_connects_to_no_private_address(program, settings):
    settings.HOSTMAIL_PRIVATE_TARGETS = "refuse"
    with pytest.raises(door.Failed, match="not on the internet"):
        door.post(f"https://hooks.example.org:{program.server_port}/", b"{}", {})
    assert program.got == []


def test_one_private_address_among_public_ones_is_enough_to_refuse(program, settings):
    settings.HOSTMAIL_PRIVATE_TARGETS = "refuse"
    program.names.add_host("both.example.org", "8.8.8.8", "10.0.0.1")
    with pytest.raises(door.Failed, match="not on the internet"):
        door.post("https://both.example.org/", b"{}", {})


def test_asks_dns_once(program):
    """What DNS says a moment later leads nowhere: the connection goes to what was judged."""
    before = len(program.names.asked)
    door.post(program.url, b"{}", {})
    assert len([one for one in program.names.asked[before:] if "hooks" in str(one)]) == 2  # A and AAAA


def test_says_why_there_is_no_answer(program):
    with pytest.raises(door.Failed):
        door.post("http://nowhere.example.org/", b"{}", {})
    with pytest.raises(door.Failed, match="ConnectionRefused"):
        door.post("http://127.0.0.1:1099/", b"{}", {})
    with pytest.raises(door.Failed, match="SSL"):
        door.post(program.url.replace("http:", "https:"), b"{}", {})


def test_waits_for_a_limited_time(program, monkeypatch):
    monkeypatch.setattr(limits, "WEBHOOK_SECONDS", 0.2)
    hold = threading.Event()
    monkeypatch.setattr(Program, "do_POST", lambda self: hold.wait(20) and None)
    with pytest.raises(door.Failed):
        door.post(program.url, b"{}", {})
    hold.set()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/", "ftp://example.org/", "https://", "https://a:b@example.org/", "https://x y/",
        "https://example.org:22/", "https://example.org:x/", "https://127.0.0.1/", "https://[::1]/",
        "https://169.254.169.254/latest", "https://[::ffff:10.0.0.1]/", "https://exämple.org/",
        "https://example.org/" + "a" * 500, "https://example.org/\r\nX: y",
    ],
)  # fmt: skip
def test_takes_no_such_address(settings, url):
    settings.HOSTMAIL_PRIVATE_TARGETS = "refuse"
    with pytest.raises(BadValue):
        door.checked_url(url)


def test_takes_what_is_on_the_web(settings):
    settings.HOSTMAIL_PRIVATE_TARGETS = "refuse"
    assert door.checked_url("https://example.org:8443/in?x=1").port == 8443
