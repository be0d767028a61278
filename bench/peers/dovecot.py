"""A private Dovecot 2.3: IMAP, LMTP and SASL for Postfix; fsync and caches as Dovecot has them by default."""

import os
import pwd
import subprocess
from pathlib import Path

from bench.instance import is_running, stop_process, wait_for_pid, wait_for_port
from bench.peers.packages import find
from bench.report import Login

CONFIG = """
base_dir = {run}
state_dir = {run}
log_path = {folder}/dovecot.log
protocols = imap lmtp
listen = 127.0.0.1
first_valid_uid = 1
auth_mechanisms = plain login
disable_plaintext_auth = no
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}

passdb {{
  driver = passwd-file
  args = scheme=SHA512-CRYPT username_format=%u {folder}/passwd
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={mail}/%n
}}

mail_location = {location}
# Written out because it is the point: these are the defaults, every delivery is on disk before LMTP says 250.
mail_fsync = optimized
protocol lmtp {{
  mail_fsync = optimized
}}

# More clients than the defaults allow, where each client has a connection to a shared process. Not for all
# services: processes reserve memory by their limit, which would make a TLS connection cost three times what
# it does.
mail_max_userip_connections = 20000
service stats {{
  client_limit = 40000
}}
service imap-login {{
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
{login}}}
service imap {{
  process_limit = 12000
{imap_master}}}
service anvil {{
  client_limit = 40000
}}
service auth {{
  client_limit = 40000
  unix_listener auth-postfix {{
    mode = 0666
  }}
}}
service lmtp {{
  unix_listener lmtp-postfix {{
    mode = 0666
  }}
  inet_listener lmtp {{
    port = {lmtp_port}
  }}
}}
{hibernate}
namespace inbox {{
  inbox = yes
  separator = /
}}
"""
# https://doc.dovecot.org/2.3/admin_manual/login_processes/: "high-performance mode", what large sites run,
# and the other one, which is the default: a process for each connection, kept as long as TLS lasts.
LOGIN = {
    "performance": "  service_count = 0\n  client_limit = 20000\n  process_min_avail = 2\n",
    "secure": "  process_limit = 12000\n",
}
HIBERNATE = """
imap_hibernate_timeout = 5s
service imap-hibernate {
  client_limit = 20000
  unix_listener imap-hibernate {
    mode = 0666
  }
}
"""
IMAP_MASTER = """  unix_listener imap-master {
    user = $default_internal_user
  }
  extra_groups = $default_internal_group
"""


def _hash_all(passwords: list[str]) -> list[str]:
    """Return SHA512-CRYPT hashes, made by openssl: Python's crypt module ends with 3.12."""
    command = ["openssl", "passwd", "-6", "-stdin"]
    done = subprocess.run(
        command, input="\n".join(passwords) + "\n", text=True, check=True, capture_output=True
    )
    return done.stdout.split()


def start(
    folder: Path,
    logins: list[Login],
    ports: dict[str, int],
    certificate: Path,
    key: Path,
    *,
    store: str,
    hibernate: bool,
    login: str,
) -> int:
    """Write the configuration into folder and start; return the pid of the master process."""
    run, mail = folder / "run", folder / "mail"
    run.mkdir(parents=True)
    mail.mkdir()
    owner = pwd.getpwnam("mail")
    os.chown(mail, owner.pw_uid, owner.pw_gid)
    hashes = _hash_all([login.password for login in logins])
    lines = [
        f"{login.address}:{{SHA512-CRYPT}}{hashed}\n" for login, hashed in zip(logins, hashes, strict=True)
    ]
    (folder / "passwd").write_text("".join(lines))
    os.chmod(folder / "passwd", 0o644)  # read by Dovecot's auth process, which is not root
    location = {"maildir": "maildir:~/Maildir", "mdbox": "mdbox:~/mdbox"}[store]
    config = folder / "dovecot.conf"
    config.write_text(
        CONFIG.format(
            folder=folder,
            run=run,
            mail=mail,
            certificate=certificate,
            key=key,
            uid=owner.pw_uid,
            gid=owner.pw_gid,
            location=location,
            imap_port=ports["imap"],
            imaps_port=ports["imaps"],
            lmtp_port=ports["lmtp"],
            login=LOGIN[login],
            imap_master=IMAP_MASTER if hibernate else "",
            hibernate=HIBERNATE if hibernate else "",
        )
    )
    program = find("dovecot")
    assert program
    # Its processes keep what they are given as standard output, so it must not be ours.
    with (folder / "start.log").open("wb") as log:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        if subprocess.run([program, "-c", str(config)], **quiet).returncode:
            raise SystemExit(f"dovecot does not start: {(folder / 'start.log').read_text()}")
    pid = wait_for_pid(run / "master.pid")
    wait_for_port(ports["imap"])
    return pid


def stop(folder: Path) -> None:
    """Stop the instance of folder, if it runs."""
    path = folder / "run" / "master.pid"
    if path.exists() and is_running(pid := int(path.read_text())):
        stop_process(pid)
