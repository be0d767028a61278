"""Log lines are structured, and what a stranger sends never starts a line of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import logging, logging.config, structlog
from hostmail import log
logging.config.dictConfig(log.configure(level="INFO", form=%r))
structlog.contextvars.bind_contextvars(request_id="r1")
structlog.get_logger("a").info("filed", mailbox=7)
logging.getLogger("b").warning("plain %%s", "text", extra={"peer": "192.0.2.1"})
structlog.get_logger("c").info("said", text="one\\nERROR two")
logging.getLogger("d").debug("hidden")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("e").exception("broke")
"""


def lines(form: str) -> list[str]:
    command = [sys.executable, "-c", PROGRAM % form]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=dict(os.environ), timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stderr.splitlines()


def test_json_is_one_document_a_line() -> None:
    said = [json.loads(line) for line in lines("json")]
    assert [entry["event"] for entry in said] == ["filed", "plain text", "said", "broke"]
    assert said[0]["mailbox"] == 7
    assert said[0]["level"] == "info"
    assert {entry["request_id"] for entry in said} == {"r1"}
    assert said[1]["peer"] == "192.0.2.1"
    assert "ZeroDivisionError" in said[3]["exception"]


def test_text_keeps_line_ends_of_strangers_inside_their_line() -> None:
    assert not [line for line in lines("text") if line.startswith("ERROR")]


MAIL = """
import logging, logging.config
from hostmail import log
logging.config.dictConfig(log.configure(level="INFO", form="json", mail=%r, host="mail.acme.test"))
mail = logging.getLogger("hostmail.mail")
mail.info("%%s", "QID: removed", extra={"program": "postfix/qmgr"})
print(mail.isEnabledFor(logging.INFO))
"""


def said_by(where: str) -> tuple[str, str]:
    command = [sys.executable, "-c", MAIL % where]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=dict(os.environ), timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


LINE = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00 mail\.acme\.test postfix/qmgr\[\d+\]: QID: removed\n"


def test_the_mail_log_goes_where_it_is_told(tmp_path: Path) -> None:
    assert re.fullmatch(LINE + "True\n", said_by("stdout")[0])
    assert said_by(str(tmp_path / "mail.log")) == ("True\n", "")
    assert re.fullmatch(LINE, (tmp_path / "mail.log").read_text())
    assert said_by("") == ("False\n", "")
