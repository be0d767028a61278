"""The product's settings with a database of the tests: pytest names this module in pyproject.toml.

Read before any conftest, so the command line is looked at here. HOSTMAIL_TEST_DB says which database
(a distributed run sets it for each worker), HOSTMAIL_TEST_DIR is the folder all processes of one run share.
"""

import os
import sys
import tempfile
from pathlib import Path


def _asked_for() -> str:
    for number, word in enumerate(sys.argv):
        if word == "--db" and number + 1 < len(sys.argv):
            return sys.argv[number + 1]
        if word.startswith("--db="):
            return word.removeprefix("--db=")
    return "sqlite"


TEST_DB = os.environ.setdefault("HOSTMAIL_TEST_DB", _asked_for())
if "HOSTMAIL_TEST_DIR" not in os.environ:
    os.environ["HOSTMAIL_TEST_DIR"] = tempfile.mkdtemp(prefix="hostmail-tests-")
    os.environ["HOSTMAIL_TEST_OWNER"] = str(os.getpid())
TEST_DIR = Path(os.environ["HOSTMAIL_TEST_DIR"])
_worker = os.environ.get("PYTEST_XDIST_WORKER", "main")

# What stands in a developer's environment must not decide what the tests say.
for _name in list(os.environ):
    if _name in ("DATABASE_URL", "REDIS_URL") or (
        _name.startswith("HOSTMAIL_") and not _name.startswith("HOSTMAIL_TEST_")
    ):
        del os.environ[_name]
os.environ["HOSTMAIL_DATA_DIR"] = str(TEST_DIR / _worker)
os.environ["HOSTMAIL_SECRET_KEY"] = "a secret that only the tests have, long enough"
os.environ["HOSTMAIL_LOG_FORMAT"] = "json"
os.environ["HOSTMAIL_MX_BANNER_SECONDS"] = "0"  # it is for those who test it

if TEST_DB == "postgres":
    os.environ["DATABASE_URL"] = os.environ.get(
        "TEST_DATABASE_URL", f"postgresql:///hostmail?host={TEST_DIR}/postgres&user=hostmail"
    )

from hostmail.settings import *  # noqa: E402, F403
from hostmail.settings import DATABASES, HOSTMAIL_DATA_DIR  # noqa: E402

HOSTMAIL_DATA_DIR.mkdir(parents=True, exist_ok=True)
if TEST_DB == "postgres":
    DATABASES["default"]["TEST"] = {
        "NAME": f"test_hostmail_{os.environ.get('HOSTMAIL_TEST_OWNER', os.getpid())}"
    }
else:
    # A file, as in life: memory databases lock in another way.
    DATABASES["default"]["TEST"] = {"NAME": str(HOSTMAIL_DATA_DIR / "test.sqlite3")}
