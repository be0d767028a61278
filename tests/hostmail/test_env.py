"""Settings are parsed strictly: what cannot be understood stops the start with one line."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from hostmail.env import BadSetting, Env, SmartHost, SourceAddress, kept_secret

ROOT = Path(__file__).resolve().parents[2]


def env(**values: str) -> Env:
    return Env(values)


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (lambda e: e.port("X", 25), "", 25),
        (lambda e: e.mail_log("X"), "", ""),
        (lambda e: e.mail_log("X"), "syslog", "syslog"),
        (lambda e: e.mail_log("X"), "/tmp/../tmp/mail.log", "/tmp/mail.log"),
        (lambda e: e.port("X", 25), " 587 ", 587),
        (lambda e: e.octets("X", "5G"), "", 5 << 30),
        (lambda e: e.octets("X", "1"), "50M", 50 << 20),
        (lambda e: e.octets("X", "1"), "10kb", 10 << 10),
        (lambda e: e.flag("X"), "yes", True),
        (lambda e: e.flag("X", default=True), "", True),
        (lambda e: e.choice("X", ("a", "b"), "a"), "b", "b"),
        (lambda e: e.address("X", "127.0.0.1"), "::1", "::1"),
        (lambda e: e.address("X", "127.0.0.1"), "[::]", "::"),
        (lambda e: e.hostname("X"), "MX.Example.org.", "mx.example.org"),
        (lambda e: e.endpoints("X", default_port=53), "127.0.0.1:5353", [("127.0.0.1", 5353)]),
        (lambda e: e.endpoints("X", default_port=53), "[::1]:54, ::1", [("::1", 54), ("::1", 53)]),
        (lambda e: e.addresses("X"), "192.0.2.1, 2001:db8::/32", ["192.0.2.1", "2001:db8::/32"]),
        (lambda e: e.hostnames("X"), "A.example, b.example.", ["a.example", "b.example"]),
        (lambda e: e.block_lists("X"), "", []),
        (lambda e: e.block_lists("X"), "Zen.Example=4, b.test=1.5", [("zen.example", 4.0), ("b.test", 1.5)]),
        (lambda e: e.origin("X", "http://a"), "https://mail.example.org/", "https://mail.example.org"),
        (
            lambda e: e.source_addresses("X"),
            "192.0.2.1, bulk/2001:DB8::1=Out.Example.org",
            [SourceAddress("", "192.0.2.1"), SourceAddress("bulk", "2001:db8::1", "out.example.org")],
        ),
        (lambda e: e.smart_host("X"), "", None),
        (lambda e: e.smart_host("X"), "smtp://relay:26", SmartHost("relay", 26)),
        (lambda e: e.smart_host("X"), "smtp://u%40x:p%3A@relay", SmartHost("relay", 25, "u@x", "p:")),
        (lambda e: e.redis("X"), "redis://localhost/1", "redis://localhost/1"),
        (lambda e: e.storage("X"), "s3://mail?endpoint=http://127.0.0.1:9000", "s3://mail?endpoint=http://127.0.0.1:9000"),
        (lambda e: e.postgres("X"), "", None),
    ],
)  # fmt: skip
def test_reads(read, value: str, expected: object) -> None:
    assert read(env(X=value)) == expected


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda e: e.port("X", 25), "0"),
        (lambda e: e.port("X", 25), "65536"),
        (lambda e: e.port("X", 25), "+25"),
        (lambda e: e.port("X", 25), "1_0"),
        (lambda e: e.port("X", 25), "\u0662\u0665"),
        (lambda e: e.octets("X", "1"), "0"),
        (lambda e: e.octets("X", "1"), "-5M"),
        (lambda e: e.octets("X", "1"), "5X"),
        (lambda e: e.flag("X"), "maybe"),
        (lambda e: e.choice("X", ("a", "b"), "a"), "c"),
        (lambda e: e.address("X", "127.0.0.1"), "localhost"),
        (lambda e: e.hostname("X"), "a..b"),
        (lambda e: e.hostname("X"), "-a.example"),
        (lambda e: e.hostname("X"), "b\u00fccher.example"),
        (lambda e: e.hostname("X"), "x" * 64 + ".example"),
        (lambda e: e.endpoints("X", default_port=53), "dns.example.org"),
        (lambda e: e.endpoints("X", default_port=53), "127.0.0.1:99999"),
        (lambda e: e.addresses("X"), "192.0.2.300"),
        (lambda e: e.networks("X"), "10.0.0.1/8"),
        (lambda e: e.hostnames("X"), "a.example,b..example"),
        (lambda e: e.block_lists("X"), "zen.example"),
        (lambda e: e.block_lists("X"), "zen.example=-1"),
        (lambda e: e.block_lists("X"), "zen.example=1e3"),
        (lambda e: e.block_lists("X"), "zen..example=1"),
        (lambda e: e.origin("X", "http://a"), "mail.example.org"),
        (lambda e: e.origin("X", "http://a"), "https://mail.example.org/path"),
        (lambda e: e.origin("X", "http://a"), "https://mail.example.org:x"),
        (lambda e: e.source_addresses("X"), "out.example.org"),
        (lambda e: e.source_addresses("X"), "/192.0.2.1"),
        (lambda e: e.smart_host("X"), "relay:25"),
        (lambda e: e.smart_host("X"), "smtp://user@relay"),
        (lambda e: e.redis("X"), "localhost:6379"),
        (lambda e: e.storage("X"), "/var/mail"),
        (lambda e: e.postgres("X"), "mysql://localhost/x"),
        (lambda e: e.postgres("X"), "postgresql://localhost/"),
        (lambda e: e.postgres("X"), "postgresql://localhost:x/name"),
        (lambda e: e.file("X"), "/does/not/exist.pem"),
    ],
)
def test_refuses_with_one_line_that_names_the_variable(read, value: str) -> None:
    with pytest.raises(BadSetting) as caught:
        read(env(X=value))
    text = str(caught.value)
    assert text.startswith("X ")
    assert "accepts" in text
    assert "\n" not in text


def test_never_repeats_a_secret() -> None:
    with pytest.raises(BadSetting) as caught:
        env(X="smtp://user:hunter2@relay:25/path").smart_host("X")
    assert "hunter2" not in str(caught.value)


def test_reads_postgres_with_options() -> None:
    found = env(X="postgresql://u:p%2Fw@db.example:5433/mail?sslmode=require").postgres("X")
    assert found == {
        "NAME": "mail", "USER": "u", "PASSWORD": "p/w", "HOST": "db.example", "PORT": "5433",
        "OPTIONS": {"sslmode": "require"},
    }  # fmt: skip


def test_reads_postgres_on_a_socket() -> None:
    found = env(X="postgresql:///mail?host=/run/postgresql&user=m").postgres("X")
    assert found is not None
    assert (found["HOST"], found["USER"], found["OPTIONS"]) == ("/run/postgresql", "m", {})


def test_reads_a_secret_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret\n")
    assert env(X_FILE=str(path)).secret("X") == "s3cret"


def test_refuses_a_secret_given_twice(tmp_path: Path) -> None:
    with pytest.raises(BadSetting, match="X_FILE"):
        env(X="a", X_FILE=str(tmp_path)).secret("X")


@pytest.mark.parametrize("content", [None, ""])
def test_refuses_a_secret_file_that_says_nothing(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content)
    with pytest.raises(BadSetting, match="X_FILE"):
        env(X_FILE=str(path)).secret("X")


def test_keeps_the_secret_it_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "secret.key"
    first = kept_secret(path)
    assert len(first) >= 60
    assert kept_secret(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["secret.key"]


def _start(tmp_path: Path, **values: str) -> subprocess.CompletedProcess[str]:
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("HOSTMAIL_")}
    surroundings.update(
        values, DJANGO_SETTINGS_MODULE="hostmail.settings", HOSTMAIL_DATA_DIR=str(tmp_path / "data")
    )
    command = [sys.executable, str(ROOT / "manage.py"), "check"]
    return subprocess.run(command, env=surroundings, capture_output=True, text=True, timeout=60)


def test_a_bad_value_stops_the_start_with_one_line(tmp_path: Path) -> None:
    done = _start(tmp_path, HOSTMAIL_SMTP_PORT="smtp")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "HOSTMAIL_SMTP_PORT has the value 'smtp'; it accepts a whole number from 1 to 65535"
    ]


def test_reads_what_is_withheld_from_programs() -> None:
    env = Env({"GOOD": "Odd Mail: IDLE move", "BAD": "Odd Mail: FROB"})
    assert env.withheld("GOOD") == (("odd mail", frozenset({"IDLE", "MOVE"})),)
    assert env.withheld("NONE") == ()
    with pytest.raises(BadSetting, match="FROB cannot be withheld"):
        env.withheld("BAD")


def test_a_certificate_without_its_key_stops_the_start(tmp_path: Path) -> None:
    done = _start(tmp_path, HOSTMAIL_TLS_CERT=__file__)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("HOSTMAIL_TLS_KEY ")


def test_debug_stays_on_loopback(tmp_path: Path) -> None:
    done = _start(tmp_path, HOSTMAIL_DEBUG="yes", HOSTMAIL_BIND="0.0.0.0")
    assert done.stderr.startswith("HOSTMAIL_DEBUG ")


def test_the_example_lists_every_variable() -> None:
    import re

    code = (ROOT / "hostmail" / "settings.py").read_text()
    read = set(re.findall(r'_env\.[a-z0-9_]+\(\s*"([A-Z0-9_]+)"', code))
    listed = set(re.findall(r"^# ([A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert read == listed
