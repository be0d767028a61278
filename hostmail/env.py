"""Environment in, parsed values out; the only code that reads os.environ for settings.

A value that cannot be understood ends the process with one line that names the variable and
what it accepts (design: safe by default, never a silent guess). An empty variable counts as unset.
Called by settings.py, and by tests with a dictionary of their own.
"""

import ipaddress
import os
import re
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from mailcore.imap.wire import withheld

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
HOST_NAME = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*"
)


class BadSetting(SystemExit):
    """A variable with a value we cannot use.

    It is a SystemExit so that whoever imports the settings (manage.py, uvicorn, celery) prints
    this one line and ends with status 1, instead of a traceback.
    """

    def __init__(self, name: str, value: str | None, accepts: str) -> None:
        shown = "is missing" if value is None else f"has the value {value!r}"
        super().__init__(f"{name} {shown}; it accepts {accepts}")


@dataclass(frozen=True, slots=True)
class SmartHost:
    """The relay that takes all remote mail."""

    host: str
    port: int
    user: str = ""
    password: str = ""


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """An address of ours that mail may leave from, its pool ("" has no name) and its name in EHLO."""

    pool: str
    address: str
    name: str = ""


class Env:
    """Typed reads of a mapping of environment variables."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def raw(self, name: str) -> str:
        return self._values.get(name, "").strip()

    def text(self, name: str, default: str = "") -> str:
        return self.raw(name) or default

    def secret(self, name: str) -> str:
        """Return the variable, or the content of the file that NAME_FILE names."""
        value, path = self.raw(name), self.raw(f"{name}_FILE")
        if value and path:
            raise BadSetting(f"{name}_FILE", path, f"nothing while {name} is set too")
        if not path:
            return value
        try:
            content = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise BadSetting(f"{name}_FILE", path, "the path of a readable text file") from error
        if not content:
            raise BadSetting(f"{name}_FILE", path, "the path of a file that is not empty")
        return content

    def choice(self, name: str, options: Collection[str], default: str) -> str:
        value = self.raw(name) or default
        if value not in options:
            raise BadSetting(name, value, " or ".join(f"`{option}`" for option in options))
        return value

    def withheld(self, name: str) -> tuple[tuple[str, frozenset[str]], ...]:
        """Return program names, each with the IMAP capabilities that it is not offered."""
        try:
            return withheld.read_clients(self.raw(name))
        except ValueError as error:
            raise BadSetting(name, self.raw(name), f"NAME: WORD WORD; NAME: WORD ({error})") from error

    def flag(self, name: str, default: bool = False) -> bool:
        value = self.raw(name).lower()
        known = {"": default, "yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
        if value not in known:
            raise BadSetting(name, value, "`yes` or `no`")
        return known[value]

    def number(self, name: str, default: int, *, low: int, high: int) -> int:
        value = self.raw(name)
        if not value:
            return default
        if not re.fullmatch(r"[0-9]{1,18}", value, re.ASCII) or not low <= int(value) <= high:
            raise BadSetting(name, value, f"a whole number from {low} to {high}")
        return int(value)

    def port(self, name: str, default: int) -> int:
        return self.number(name, default, low=1, high=65535)

    def octets(self, name: str, default: str) -> int:
        """Return a size in octets, written as 500, 10K, 50M, 5G or 1T."""
        value = self.raw(name) or default
        match = re.fullmatch(r"([0-9]{1,12})([KMGT]?)B?", value.upper(), re.ASCII)
        if not match or not int(match[1]):
            raise BadSetting(name, value, "a size in octets, such as 52428800, 500K, 50M or 5G")
        return int(match[1]) * UNITS[match[2]]

    def path(self, name: str, default: Path) -> Path:
        value = self.raw(name)
        return Path(os.path.abspath(Path(value).expanduser())) if value else default

    def file(self, name: str) -> Path | None:
        """Return the path of a file that must be there already, or None when unset."""
        value = self.raw(name)
        if not value:
            return None
        path = self.path(name, Path())
        if not path.is_file():
            raise BadSetting(name, value, "the path of a file that exists")
        return path

    def mail_log(self, name: str) -> str:
        """Return where the mail log goes: "", stdout, stderr, syslog, or a file in a folder that exists."""
        value = self.raw(name)
        if value in ("", "stdout", "stderr", "syslog"):
            return value
        path = self.path(name, Path())
        if not path.parent.is_dir() or path.is_dir():
            raise BadSetting(name, value, "`stdout`, `stderr`, `syslog` or a file in a folder that exists")
        return str(path)

    def address(self, name: str, default: str) -> str:
        value = self.raw(name) or default
        try:
            return str(ipaddress.ip_address(value.strip("[]")))
        except ValueError as error:
            raise BadSetting(name, value, "an IP address, such as 127.0.0.1, 0.0.0.0 or ::") from error

    def addresses(self, name: str) -> list[str]:
        """Return addresses and networks as SPF writes them: a single address without its length."""
        return [
            str(network.network_address if network.num_addresses == 1 else network)
            for network in self.networks(name)
        ]

    def source_addresses(self, name: str) -> list[SourceAddress]:
        """Return addresses from `[pool/]address[=EHLO name],...`."""
        found = []
        for word in self.words(name):
            where, _, ehlo = word.partition("=")
            pool, slash, text = where.rpartition("/")
            try:
                address = str(ipaddress.ip_address(text.strip()))
            except ValueError:
                address = ""
            if not address or (slash and not re.fullmatch(r"[a-z0-9-]{1,32}", pool.strip())):
                raise BadSetting(name, word, "[pool/]address[=EHLO name] divided by commas")
            ehlo = self._hostname(name, ehlo.strip()) if ehlo.strip() else ""
            found.append(SourceAddress(pool.strip(), address, ehlo))
        return found

    def networks(self, name: str) -> list[Network]:
        try:
            return [ipaddress.ip_network(value) for value in self.words(name)]
        except ValueError as error:
            raise BadSetting(name, self.raw(name), "IP addresses or networks, divided by commas") from error

    def words(self, name: str) -> list[str]:
        return [word.strip() for word in self.raw(name).split(",") if word.strip()]

    def block_lists(self, name: str) -> list[tuple[str, float]]:
        """Return (zone, points) pairs from `zone=points,...`."""
        found = []
        for word in self.words(name):
            zone, _, points = word.partition("=")
            match = re.fullmatch(r"[0-9]{1,3}(\.[0-9])?", points.strip(), re.ASCII)
            if not match or not HOST_NAME.fullmatch(zone.strip()):
                raise BadSetting(
                    name, word, "DNS block lists with their points, such as zen.spamhaus.org=4,bl.example=1.5"
                )
            found.append((zone.strip().lower(), float(match[0])))
        return found

    def hostname(self, name: str, default: str = "") -> str:
        value = self.raw(name) or default
        return self._hostname(name, value) if value else ""

    def hostnames(self, name: str) -> list[str]:
        return [self._hostname(name, word) for word in self.words(name)]

    def _hostname(self, name: str, value: str) -> str:
        try:
            name_in_dns = value.rstrip(".").encode("ascii").decode() or "."
        except UnicodeEncodeError:
            name_in_dns = "."
        if not HOST_NAME.fullmatch(name_in_dns) or any(len(label) > 63 for label in name_in_dns.split(".")):
            raise BadSetting(
                name, value, "a host name in ASCII letters, digits and hyphens, such as mx.example.org"
            )
        return name_in_dns.lower()

    def endpoints(self, name: str, *, default_port: int) -> list[tuple[str, int]]:
        """Return (address, port) pairs from `host:port,...`; IPv6 is written [::1]:53."""
        found = []
        for word in self.words(name):
            match = re.fullmatch(
                r"(?:\[([0-9A-Fa-f:.]+)\]|([0-9.]+|[0-9A-Fa-f]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*))(?::([0-9]{1,5}))?",
                word,
            )
            try:
                host = str(ipaddress.ip_address((match[1] or match[2]) if match else ""))
                port = int(match[3] or default_port) if match else 0
            except ValueError:
                host, port = "", 0
            if not host or not 1 <= port <= 65535:
                raise BadSetting(
                    name, word, "address:port pairs divided by commas, such as 127.0.0.1:5353,[::1]:53"
                )
            found.append((host, port))
        return found

    def origin(self, name: str, default: str) -> str:
        """Return scheme://host[:port] without a slash at the end."""
        value = self.raw(name) or default
        try:
            parts = urlsplit(value)
            fine = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
            fine = fine and parts.path in ("", "/") and not (parts.query or parts.fragment or parts.username)
        except ValueError:
            fine = False
        if not fine:
            raise BadSetting(name, value, "http://host[:port] or https://host[:port] without a path")
        return value.rstrip("/")

    def smart_host(self, name: str) -> SmartHost | None:
        value = self.secret(name)
        if not value:
            return None
        accepts = "smtp://[user:password@]host:port"
        try:
            parts = urlsplit(value)
            host, port = parts.hostname or "", parts.port or 25
        except ValueError as error:
            raise BadSetting(name, "(hidden)", accepts) from error
        if parts.scheme != "smtp" or not host or parts.path not in ("", "/") or parts.query:
            raise BadSetting(name, "(hidden)", accepts)
        if bool(parts.username) != bool(parts.password):
            raise BadSetting(name, "(hidden)", f"{accepts}; user and password go together")
        return SmartHost(host, port, unquote(parts.username or ""), unquote(parts.password or ""))

    def redis(self, name: str) -> str:
        value = self.secret(name)
        if value and not re.match(r"(rediss?://.|unix:///.)", value):
            raise BadSetting(name, "(hidden)", "redis://[user:password@]host[:port][/number] or unix:///path")
        return value

    def storage(self, name: str) -> str:
        value = self.secret(name)
        if value and not re.match(r"s3://[a-z0-9][a-z0-9.-]{2,62}(\?.*)?$", value):
            raise BadSetting(
                name, "(hidden)", "s3://bucket?endpoint=https://host, or nothing for files in the data folder"
            )
        return value

    def postgres(self, name: str) -> dict[str, Any] | None:
        """Return Django's connection settings from postgresql://user:password@host:port/name?option=value.

        The host may be a folder with a Unix socket, given as ?host=/path. None when unset.
        """
        value = self.secret(name)
        if not value:
            return None
        accepts = "postgresql://[user[:password]@][host][:port]/name[?option=value] (SQLite when unset)"
        try:
            parts = urlsplit(value)
            port = parts.port
            options = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
        except ValueError as error:
            raise BadSetting(name, "(hidden)", accepts) from error
        database = unquote(parts.path.lstrip("/"))
        if parts.scheme not in ("postgresql", "postgres") or not database or "/" in database:
            raise BadSetting(name, "(hidden)", accepts)
        return {
            "NAME": database,
            "USER": unquote(parts.username or "") or options.pop("user", ""),
            "PASSWORD": unquote(parts.password or "") or options.pop("password", ""),
            "HOST": unquote(parts.hostname or "") or options.pop("host", ""),
            "PORT": str(port or options.pop("port", "")),
            "OPTIONS": options,
        }


def kept_secret(path: Path) -> str:
    """Return the secret kept in path; make it on first use, readable by the owner only.

    Several processes may start at once: the first link wins, the others read what it wrote.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, secrets.token_urlsafe(48).encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass  # another process was first
        finally:
            draft.unlink()
    return path.read_text(encoding="ascii").strip()
