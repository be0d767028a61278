"""What every test may ask for, and the rules of a run.

    pytest --db sqlite|postgres     all tests on one database
    pytest --db both                what touches a database on both, everything else once

A distributed run of `both` gives half of its workers each database; tests are dealt out by file.
Under CI=true a skipped test is a failed test: it says nothing.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import TransactionTestCase

from mailcore import limits
from tests import servers
from tests.service import Service

IN_CI = os.environ.get("CI", "").lower() in ("true", "1", "yes")
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
DATABASE_FIXTURES = {
    "db", "transactional_db", "django_db_setup", "django_db_reset_sequences", "live_server",
    "service", "start_service", "maild", "client", "admin_client", "admin_user",
}  # fmt: skip
KINDS = ("sqlite", "postgres")
MOST_WORKERS = 8
limits.SCRAM_ITERATIONS = 4096  # what the RFC allows; a hundred thousand for each login would be felt


# --- One run -------------------------------------------------------------------------------------


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--db", choices=("sqlite", "postgres", "both"), default="sqlite", help="the database of this run"
    )


def test_db() -> str:
    return os.environ["HOSTMAIL_TEST_DB"]


test_db.__test__ = False  # a helper, in spite of its name


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    if IS_WORKER or config.option.collectonly:
        return
    kind = config.getoption("--db")
    if kind == "both":
        workers = min(max(2, (os.cpu_count() or 2) // 2 * 2), MOST_WORKERS)
        config.option.dist = "each"
        config.option.numprocesses = None
        config.option.tx = [
            f"popen//env:HOSTMAIL_TEST_DB={KINDS[number % 2]}//env:HOSTMAIL_TEST_SHARE={number}/{workers}"
            for number in range(workers)
        ]
    if kind in ("postgres", "both") and "TEST_DATABASE_URL" not in os.environ:
        folder = Path(os.environ["HOSTMAIL_TEST_DIR"]) / "postgres"
        try:
            config.stash[POSTGRES] = servers.start_postgres(folder)
        except RuntimeError as error:
            raise pytest.UsageError(str(error)) from error


POSTGRES: pytest.StashKey[servers.Program] = pytest.StashKey()


def pytest_sessionstart() -> None:
    from tests import emptying

    emptying.by_deleting()


def pytest_unconfigure(config: pytest.Config) -> None:
    if POSTGRES in config.stash:
        config.stash[POSTGRES].stop()
    if os.environ.get("HOSTMAIL_TEST_OWNER") == str(os.getpid()):
        shutil.rmtree(os.environ["HOSTMAIL_TEST_DIR"], ignore_errors=True)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Whatever starts a program or a browser is slow, without being told so."""
    if not {"start_service", "browser"}.isdisjoint(getattr(item, "fixturenames", ())):
        item.add_marker("slow")


def uses_database(item: pytest.Item) -> bool:
    if item.get_closest_marker("once"):
        return False
    if item.get_closest_marker("django_db") or item.get_closest_marker("both"):
        return True
    case = getattr(item, "cls", None)
    if case is not None and issubclass(case, TransactionTestCase):
        return True
    return not DATABASE_FIXTURES.isdisjoint(getattr(item, "fixturenames", ()))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    share = os.environ.get("HOSTMAIL_TEST_SHARE") if IS_WORKER else None
    if share is None:
        return
    number, workers = (int(part) for part in share.split("/"))
    mine, others = [], []
    for item in items:
        turn = int.from_bytes(hashlib.sha256(str(item.path).encode()).digest()[:4], "big")
        if uses_database(item):
            # Workers of one kind are number, number + 2, ...
            is_mine = turn % (workers // 2) == number // 2
        else:
            is_mine = turn % workers == number
        (mine if is_mine else others).append(item)
    items[:] = mine
    config.hook.pytest_deselected(items=others)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    report = yield
    if IN_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which is a failure under CI: {report.longrepr}"
    elif report.failed and uses_database(item) and (crash := getattr(report.longrepr, "reprcrash", None)):
        crash.message = f"[{test_db()}] {crash.message}"  # the summary says on which database
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    report = yield
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, which is a failure under CI: {report.longrepr}"
    return report


# --- Small things --------------------------------------------------------------------------------


@pytest.fixture
def free_port() -> Callable[[], int]:
    """A function that returns a port nobody uses."""
    return servers.free_port


@pytest.fixture
def data_dir(tmp_path: Path, settings) -> Path:
    """An empty data folder, and settings that point to it. Not for processes: see start_service."""
    settings.HOSTMAIL_DATA_DIR = tmp_path / "data"
    settings.HOSTMAIL_DATA_DIR.mkdir()
    return settings.HOSTMAIL_DATA_DIR


@pytest.fixture(scope="session")
def _redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    # pytest's own temporary folders may be too deep for a socket's path.
    folder = Path(os.environ["HOSTMAIL_TEST_DIR"]) / f"redis-{os.getpid()}"
    server, url = servers.start_redis(folder)
    yield url
    server.stop()


@pytest.fixture
def redis_url(_redis_server: str, settings) -> str:
    """The URL of an empty private Redis, also in settings.REDIS_URL."""
    from redis import Redis

    with Redis.from_url(_redis_server) as client:
        client.flushall()
    settings.REDIS_URL = _redis_server
    return _redis_server


# --- The service as a program --------------------------------------------------------------------


@pytest.fixture
def start_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """A function: start_service("maild", "--only", "imap", env={...}) -> Service, running and looked after.

    `started=False` gives it before its start. On PostgreSQL every service has a database of its own.
    """
    made: list[Service] = []

    def start(*command: str, env: dict[str, str] | None = None, started: bool = True) -> Service:
        # Sockets need a short path, so not in tmp_path.
        folder = Path(os.environ["HOSTMAIL_TEST_DIR"]) / f"s{os.getpid()}-{len(made)}-{os.urandom(3).hex()}"
        more = {"DATABASE_URL": _new_database()} if test_db() == "postgres" else {}
        service = Service(folder, *command, env={**more, **(env or {})})
        made.append(service)
        return service.start() if started else service

    yield start
    problems = []
    for service in reversed(made):
        try:
            service.stop()
        except AssertionError as error:
            problems.append(str(error))
        problems += [f"{service.command} logged: {line[:3000]}" for line in service.errors()]
        service.kill()
        if not problems:
            shutil.rmtree(service.folder, ignore_errors=True)
    assert not problems, "\n".join(problems)


def _new_database() -> str:
    """Make an empty PostgreSQL database and return its URL."""
    import psycopg

    from hostmail.env import Env

    name = f"service_{os.getpid()}_{os.urandom(4).hex()}"
    url = os.environ["DATABASE_URL"]
    found = Env({"URL": url}).postgres("URL")
    with psycopg.connect(
        host=found["HOST"], port=found["PORT"] or None, user=found["USER"] or None,
        password=found["PASSWORD"] or None, dbname=found["NAME"], autocommit=True,
    ) as connection:  # fmt: skip
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    head, _, query = url.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")


@pytest.fixture
def service(start_service: Callable[..., Service]) -> Service:
    """The whole service, running, without tenants."""
    return start_service("up")


# --- maild inside this process -------------------------------------------------------------------


@pytest.fixture(scope="module")
def _running_maild(django_db_setup, django_db_blocker) -> Iterator[object]:
    from tests.maild import running  # it knows models, which are not there yet when this file is read

    with running(django_db_blocker) as live:
        yield live


@pytest.fixture
def maild(transactional_db, _running_maild) -> Iterator[object]:
    """A running maild (tests/maild.py): real sockets, this test's database."""
    from tests.maild import watched

    with watched(_running_maild) as live:
        yield live


# --- The browser ---------------------------------------------------------------------------------


@pytest.fixture
def browser() -> Iterator[object]:
    """A fresh headless Chromium (a playwright Browser) that talks to nobody but us.

    One for each test: playwright keeps an event loop in this thread, and async tests could not run beside it.
    """
    from playwright.sync_api import sync_playwright

    arguments = [
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
        "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage",
    ]  # fmt: skip
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    path = servers.need("chromium")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # that loop is not ours
    try:
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=path, args=arguments)
            yield chromium
            chromium.close()
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def page(browser) -> Iterator[object]:
    """One page; the test fails if a script broke or the Content-Security-Policy was violated."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800})
    opened = context.new_page()
    problems: list[str] = []
    opened.on("pageerror", lambda error: problems.append(f"script: {error}"))
    opened.on("console", lambda line: problems.append(f"console: {line.text}") if _is_bad(line) else None)
    yield opened
    context.close()
    assert not problems, "\n".join(problems)


def _is_bad(line) -> bool:
    return line.type == "error" and not line.text.startswith("Failed to load resource")


@pytest.fixture(autouse=True)
def forget_what_was_searched() -> None:
    """A test's rows are rolled back and their numbers come again: what a process knows of them must go."""
    from mailcore.services.textindex import search

    search.forget()
