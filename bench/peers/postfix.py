"""A private Postfix 3.7, limits and fsync as by default: mail in, to Dovecot by LMTP; submission; relay."""

import os
import pwd
import subprocess
from pathlib import Path

from bench.instance import DOMAIN, OUTSIDE_DOMAIN, is_running, stop_process, wait_for_pid, wait_for_port
from bench.peers.packages import find
from bench.report import Login

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/mail.log
maillog_file_prefixes = {folder}
myhostname = mx.{domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
message_size_limit = 52428800
virtual_mailbox_domains = {domain}
virtual_mailbox_maps = hash:{folder}/mailboxes
virtual_transport = lmtp:unix:{lmtp}
transport_maps = inline:{{ {{ {outside} = smtp:[127.0.0.1]:{sink_port} }} }}
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth}
smtpd_sasl_security_options = noanonymous
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
smtp_tls_security_level = may
smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination
smtpd_recipient_restrictions = reject_unauth_destination
"""

# Debian's master.cf without chroot and without what is not used here.
MASTER = """
{smtp_port} inet n - n - - smtpd
{submission_port} inet n - n - - smtpd
  -o syslog_name=postfix/submission
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
{submissions_port} inet n - n - - smtpd
  -o syslog_name=postfix/submissions
  -o smtpd_tls_wrappermode=yes
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
  -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def start(
    folder: Path,
    logins: list[Login],
    ports: dict[str, int],
    certificate: Path,
    key: Path,
    *,
    lmtp: Path,
    auth: Path,
    sink_port: int,
) -> int:
    """Write the configuration into folder and start; return the pid of the master process."""
    etc = folder / "etc"
    etc.mkdir(parents=True)
    (folder / "queue").mkdir()
    (folder / "data").mkdir()
    owner = pwd.getpwnam("postfix")
    os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
    mailboxes = folder / "mailboxes"
    mailboxes.write_text("".join(f"{login.address} {login.address}\n" for login in logins))
    (etc / "main.cf").write_text(
        MAIN.format(
            folder=folder,
            domain=DOMAIN,
            outside=OUTSIDE_DOMAIN,
            lmtp=lmtp,
            auth=auth,
            sink_port=sink_port,
            certificate=certificate,
            key=key,
        )
    )
    (etc / "master.cf").write_text(MASTER.format(**{f"{name}_port": port for name, port in ports.items()}))
    postmap, postfix = find("postmap"), find("postfix")
    assert postmap
    assert postfix
    subprocess.run([postmap, "-c", str(etc), f"hash:{mailboxes}"], check=True)
    # Its processes keep what they are given as standard output, so it must not be ours.
    with (folder / "start.log").open("wb") as log:
        quiet = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        if subprocess.run([postfix, "-c", str(etc), "start"], **quiet).returncode:
            raise SystemExit(f"postfix does not start: {(folder / 'start.log').read_text()}")
    pid = wait_for_pid(folder / "queue" / "pid" / "master.pid")
    wait_for_port(ports["smtp"])
    return pid


def stop(folder: Path) -> None:
    """Stop the instance of folder, if it runs."""
    path = folder / "queue" / "pid" / "master.pid"
    if path.exists() and is_running(pid := int(path.read_text())):
        stop_process(pid)
