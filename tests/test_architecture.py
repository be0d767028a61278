"""The rules of the house that a program can check, by reading imports and syntax trees.

Each rule is a function from a file (its path and tree) to complaints. Each has a sample it must catch
and one it must pass, so that a rule that has stopped looking fails too.
"""

import ast
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CODE = ("mailcore", "hostmail")

FACES = (
    "hostmail.web",
    "hostmail.webmail",
    "hostmail.api",
    "mailcore.imap",
    "mailcore.pop3",
    "mailcore.smtp",
)
PURE = (
    "mailcore.message", "mailcore.senderauth", "mailcore.filters", "mailcore.tlspolicy",
    "mailcore.reports", "mailcore.imap.wire", "mailcore.imap.view", "mailcore.pop3.wire",
)  # fmt: skip
# What pure code may not know: the framework, the loop, the clock, the network, the disk.
IMPURE = (
    "django", "rest_framework", "celery", "redis", "psycopg", "asyncio", "uvloop", "threading", "concurrent",
    "socket", "ssl", "socketserver", "http", "urllib.request", "httpx", "aiosmtpd", "smtplib", "imaplib",
    "dns.resolver", "dns.asyncresolver", "dns.query", "time", "sqlite3", "subprocess", "os", "pathlib",
    "mailcore.models", "mailcore.services", "mailcore.outside", "hostmail",
)  # fmt: skip
# os.path-free helpers that pure code does need: random names are given to it, never made by it.

ASYNC_DOORS = (
    r".*/server\.py", r"mailcore/smtp/.*", r"mailcore/outside/(clamd|dns|http)\.py",
    r"hostmail/(.*/)?live\.py", r"hostmail/supervisor\.py",
)  # fmt: skip

WRITES = {
    "save", "create", "bulk_create", "bulk_update", "update_or_create", "get_or_create", "acreate", "asave",
    "abulk_create", "aupdate", "adelete", "select_for_update",
}  # fmt: skip
# .update() and .delete() are methods of dict, set and hashes too: only a chain from a queryset counts.
QUERY_WRITES = {"update", "delete"}
QUERY_WORDS = {"objects", "filter", "exclude", "all", "visible_to", "order_by", "get"}
MAY_WRITE = {
    "mailcore/database.py": "runs the services' statements in threads of its own",
    "mailcore/sqlite/base.py": "is the database",
    "mailcore/models/user.py": "create_user, which Django and allauth call",
    "mailcore/clerk.py": "holds the transaction that services share",
    "hostmail/health.py": "asks the database whether it answers",
    "hostmail/web/adapter.py": "what allauth makes us save",
}

LONGEST = 500
THIS_MACHINE = re.compile(r"/work/|/root/|/home/[a-z]+/|/tmp/bash_jobs|file:///opt")


@dataclass(frozen=True)
class Source:
    """One Python file: its path from the root, and what stands in it."""

    path: str
    text: str

    @functools.cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def module(self) -> str:
        return self.path.removesuffix(".py").replace("/", ".").removesuffix(".__init__")

    def imports(self) -> Iterator[tuple[int, str]]:
        """Yield (line, module) for every import, with `from a import b` as a.b and as a."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for name in node.names:
                    yield node.lineno, name.name
            elif isinstance(node, ast.ImportFrom):
                base = node.module or ""
                if node.level:
                    package = (
                        self.module if self.path.endswith("__init__.py") else self.module.rpartition(".")[0]
                    )
                    for _ in range(node.level - 1):
                        package = package.rpartition(".")[0]
                    base = f"{package}.{base}".rstrip(".")
                yield node.lineno, base
                for name in node.names:
                    yield node.lineno, f"{base}.{name.name}"


def inside(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")


def face_of(module: str) -> str | None:
    return next((face for face in FACES if inside(module, face)), None)


# --- The rules -----------------------------------------------------------------------------------


def mailcore_knows_no_hostmail(source: Source) -> Iterator[str]:
    if inside(source.module, "mailcore"):
        for line, name in source.imports():
            if inside(name, "hostmail"):
                yield f"{source.path}:{line}: mailcore imports {name}"


def faces_know_no_faces(source: Source) -> Iterator[str]:
    """Never sideways; and what stands below a face never imports it."""
    if "/management/commands/" in source.path or source.path in ("hostmail/urls.py", "mailcore/server.py"):
        return  # these start things, so they see several faces
    own = face_of(source.module)
    for line, name in source.imports():
        face = face_of(name)
        if face and face != own and not is_pure(name):
            yield f"{source.path}:{line}: imports the face {name}"


def layers_go_down(source: Source) -> Iterator[str]:
    """Doors and models never import services; models never import doors that ask services."""
    below = (
        "mailcore.models",
        "mailcore.outside",
        "mailcore.message",
        "mailcore.senderauth",
        "mailcore.filters",
        "mailcore.tlspolicy",
        "mailcore.reports",
    )
    if any(inside(source.module, package) for package in below):
        for line, name in source.imports():
            if inside(name, "mailcore.services"):
                yield f"{source.path}:{line}: imports {name} from below"


def is_pure(module: str) -> bool:
    return any(inside(module, package) for package in PURE)


def pure_is_pure(source: Source) -> Iterator[str]:
    if not is_pure(source.module):
        return
    for line, name in source.imports():
        if any(inside(name, banned) for banned in IMPURE):
            yield f"{source.path}:{line}: pure code imports {name}"
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and node.attr in ("now", "utcnow", "today"):
            yield f"{source.path}:{node.lineno}: pure code asks the clock with .{node.attr}"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
            yield f"{source.path}:{node.lineno}: pure code opens a file"


def only_services_write(source: Source) -> Iterator[str]:
    if (
        inside(source.module, "mailcore.services")
        or "/migrations/" in source.path
        or source.path in MAY_WRITE
    ):
        return
    services = {
        (name.asname or name.name)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ImportFrom) and node.module == "mailcore.services"
        for name in node.names
    }
    for node in ast.walk(source.tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            if isinstance(node, ast.Attribute) and node.attr == "atomic":
                yield f"{source.path}:{node.lineno}: opens a transaction"
            continue
        name, words = node.func.attr, set(_chain(node.func.value))
        if isinstance(node.func.value, ast.Name) and words <= services:
            continue  # folders.create() is a service's verb, Folder.objects.create() is not
        if name == "cursor" and words & {"connection", "connections"}:
            yield f"{source.path}:{node.lineno}: opens a cursor"
        if (name in WRITES and not words & {"self", "super", "form", "user_form"}) or (
            name in QUERY_WRITES and words & QUERY_WORDS
        ):
            yield f"{source.path}:{node.lineno}: writes with .{name}()"


def _chain(node: ast.expr) -> Iterator[str]:
    """Yield the names of a chain of attributes and calls: A.objects.filter() -> filter, objects, A."""
    while True:
        if isinstance(node, ast.Call):
            node = node.func
        elif isinstance(node, ast.Attribute):
            yield node.attr
            node = node.value
        elif isinstance(node, ast.Name):
            yield node.id
            return
        else:
            return


def async_stops_at_the_door(source: Source) -> Iterator[str]:
    if any(re.fullmatch(door, source.path) for door in ASYNC_DOORS):
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.AsyncFunctionDef):
            yield f"{source.path}:{node.lineno}: async def {node.name}"


def sequence_numbers_stay_in_imap(source: Source) -> Iterator[str]:
    """No variable, argument or attribute is named `seq`, `seqs`, `*_seq`."""
    if inside(source.module, "mailcore.imap"):
        return
    for node in ast.walk(source.tree):
        name = (
            node.arg if isinstance(node, ast.arg)
            else node.id if isinstance(node, ast.Name)
            else node.attr if isinstance(node, ast.Attribute)
            else ""
        )  # fmt: skip
        if re.fullmatch(r"(.*_)?(seqs?|sequence_numbers?)", name):
            yield f"{source.path}: a sequence number ({name}) outside mailcore/imap"


def files_are_short(source: Source) -> Iterator[str]:
    lines = 0 if "/migrations/" in source.path else source.text.count("\n")
    docstring = ast.get_docstring(source.tree) or ""
    if lines > LONGEST and not re.search(
        r"\blong(er)? because\b|\bone file because\b", docstring, re.IGNORECASE
    ):
        yield f"{source.path}: {lines} lines, and the module docstring does not say `long because ...`"


def modules_say_what_they_own(source: Source) -> Iterator[str]:
    if source.text.strip() and "/migrations/" not in source.path and not ast.get_docstring(source.tree):
        yield f"{source.path}: no module docstring"


RULES = {rule.__name__: rule for rule in (
    mailcore_knows_no_hostmail, faces_know_no_faces, layers_go_down, pure_is_pure, only_services_write,
    async_stops_at_the_door, sequence_numbers_stay_in_imap, files_are_short, modules_say_what_they_own,
)}  # fmt: skip


# --- The code ------------------------------------------------------------------------------------


@functools.cache
def sources() -> tuple[Source, ...]:
    paths = sorted(path for package in CODE for path in (ROOT / package).rglob("*.py"))
    return tuple(
        Source(path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")) for path in paths
    )


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_code_keeps(rule: Callable[[Source], Iterator[str]]) -> None:
    found = [complaint for source in sources() for complaint in rule(source)]
    assert not found, "\n".join(found)


def test_exceptions_are_still_needed() -> None:
    gone = [path for path in MAY_WRITE if path != "hostmail/web/adapter.py" and not (ROOT / path).exists()]
    assert not gone


# --- Samples: (rule, path, text) -----------------------------------------------------------------

CAUGHT = [
    (mailcore_knows_no_hostmail, "mailcore/tasks.py", "from hostmail.celery import app"),
    (faces_know_no_faces, "hostmail/webmail/listing.py", "from hostmail.web import domains"),
    (faces_know_no_faces, "mailcore/services/inbound.py", "from mailcore.imap import session"),
    (layers_go_down, "mailcore/outside/dns.py", "from mailcore.services import domains"),
    (pure_is_pure, "mailcore/message/index.py", "from django.conf import settings"),
    (pure_is_pure, "mailcore/imap/view.py", "import time"),
    (pure_is_pure, "mailcore/imap/view.py", "from datetime import datetime\nx = datetime.now()"),
    (pure_is_pure, "mailcore/filters/rules.py", "def f():\n    import socket"),
    (only_services_write, "hostmail/web/domains.py", "Domain.objects.create(name=name)"),
    (only_services_write, "hostmail/web/domains.py", "Domain.objects.filter(pk=1).update(name=name)"),
    (only_services_write, "mailcore/imap/commands/store.py", "message.save()"),
    (only_services_write, "hostmail/web/domains.py", "from mailcore.services import x\nx.y.objects.create()"),
    (only_services_write, "mailcore/tasks.py", "with transaction.atomic():\n    work()"),
    (only_services_write, "mailcore/tasks.py", "connection.cursor()"),
    (async_stops_at_the_door, "mailcore/imap/session.py", "async def poll(): ..."),
    (sequence_numbers_stay_in_imap, "mailcore/services/messages.py", "def expunge(folder, seqs): ..."),
    (files_are_short, "mailcore/big.py", '"""Big."""\n' + "x = 1\n" * 501),
    (modules_say_what_they_own, "mailcore/silent.py", "x = 1"),
]  # fmt: skip
PASSED = [
    (mailcore_knows_no_hostmail, "mailcore/tasks.py", "from celery import shared_task"),
    (mailcore_knows_no_hostmail, "hostmail/urls.py", "from hostmail import errors"),
    (faces_know_no_faces, "mailcore/imap/session.py", "from mailcore.imap.wire import parser"),
    (faces_know_no_faces, "hostmail/management/commands/up.py", "from hostmail.web import domains"),
    (layers_go_down, "mailcore/services/outbound.py", "from mailcore.services import queue"),
    (pure_is_pure, "mailcore/message/index.py", "import re\nfrom mailcore import limits"),
    (pure_is_pure, "mailcore/imap/server.py", "import asyncio"),
    (only_services_write, "mailcore/services/domains.py", "Domain.objects.create(name=name)"),
    (only_services_write, "hostmail/web/x.py", "from mailcore.services import folders\nfolders.create(7)"),
    (only_services_write, "mailcore/imap/view.py", "known.update({1: 2})\ndigest.update(b'x')"),
    (async_stops_at_the_door, "mailcore/imap/server.py", "async def serve(): ..."),
    (async_stops_at_the_door, "hostmail/webmail/live.py", "async def events(): ..."),
    (sequence_numbers_stay_in_imap, "mailcore/imap/view.py", "def seq_of(uid, seq): ..."),
    (sequence_numbers_stay_in_imap, "mailcore/services/messages.py", "def copy(folder, uids, sequel): ..."),
    (files_are_short, "mailcore/big.py", '"""Big.\n\nLong because it is one table.\n"""\n' + "x = 1\n" * 501),
    (modules_say_what_they_own, "mailcore/__init__.py", ""),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "path", "text"), CAUGHT)
def test_rule_catches(rule: Callable[[Source], Iterator[str]], path: str, text: str) -> None:
    assert list(rule(Source(path, text)))


@pytest.mark.parametrize(("rule", "path", "text"), PASSED)
def test_rule_passes(rule: Callable[[Source], Iterator[str]], path: str, text: str) -> None:
    assert not list(rule(Source(path, text)))


def test_every_rule_has_its_samples() -> None:
    assert {rule for rule, _, _ in CAUGHT} == {rule for rule, _, _ in PASSED} == set(RULES.values())


# --- Templates, and what may stand in no file ----------------------------------------------------

# A data block (application/json) is no script: nothing runs it.
SCRIPT = r"<script\b(?![^>]*\b(src=|type=.application/json))"
INLINE = re.compile(rf"\sstyle\s*=|<style\b|\son[a-z]+\s*=\s*[\"']|{SCRIPT}|javascript:", re.IGNORECASE)


@pytest.mark.parametrize(
    "text",
    ['<p style="x">', "<style>", '<a onclick="x()">', "<script>x()</script>", '<a href="javascript:x">'],
)
def test_inline_is_caught(text: str) -> None:
    assert INLINE.search(text)


@pytest.mark.parametrize(
    "text",
    ['<script src="/a.js" defer></script>', '<script type="application/json">{}', '<link href="a.css">'],
)
def test_inline_passes(text: str) -> None:
    assert not INLINE.search(text)


def test_templates_have_no_inline_style_or_script() -> None:
    found = []
    for path in sorted((ROOT / "templates").rglob("*.html")):
        if path.is_relative_to(ROOT / "templates" / "mail"):
            continue  # mail clients read no style sheets
        text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        found += [f"{path.relative_to(ROOT)}: {match[0].strip()}" for match in INLINE.finditer(text)]
    assert not found, "\n".join(found)


def tracked_files() -> Iterator[Path]:
    """Yield our own text files; data, vendored files and the test messages are not ours to judge."""
    for folder in ("bench", "deploy", "hostmail", "mailcore", "scripts", "static", "templates", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".md", ".sh", ".html", ".css", ".js", ".toml", ".yml", ".txt", ""}:
                if path.is_file() and not {"vendor", "messages", "vectors", "__pycache__"} & set(path.parts):
                    yield path
    for pattern in ("*.md", "*.toml", "*.txt", "Makefile", ".env.example", ".ci/run"):
        yield from ROOT.glob(pattern)


def test_no_file_knows_a_particular_machine() -> None:
    found = []
    for path in tracked_files():
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if THIS_MACHINE.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert not found, "\n".join(found)


@pytest.mark.parametrize("text", ["cd /work/main", "HOME=/root/x", "/home/jane/mail"])
def test_a_particular_machine_is_caught(text: str) -> None:
    assert THIS_MACHINE.search(text)
