"""Installs the peers' Debian packages without letting them start or enable anything."""

import os
import shutil
import subprocess
from pathlib import Path

PACKAGES = ("postfix", "dovecot-core", "dovecot-imapd", "dovecot-lmtpd")
POLICY = Path("/usr/sbin/policy-rc.d")
SERVICES = ("postfix", "dovecot")


def find(program: str) -> str | None:
    return shutil.which(program, path="/usr/sbin:/sbin:/usr/bin:/bin")


def ensure() -> None:
    """Install what is missing. Says what to do where that takes root and we are not."""
    if find("postfix") and find("dovecot") and Path("/usr/lib/dovecot/lmtp").exists():
        return
    if os.geteuid() != 0 or not find("apt-get"):
        raise SystemExit("the peers need root and the Debian packages: apt-get install " + " ".join(PACKAGES))
    missing = [service for service in SERVICES if not find(service)]
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    question = "postfix postfix/main_mailer_type select No configuration\n"
    subprocess.run(["debconf-set-selections"], input=question, text=True, check=True)
    # invoke-rc.d asks this script before it starts anything; 101 means "not allowed".
    before = POLICY.read_bytes() if POLICY.exists() else None
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        install = ["apt-get", "install", "-y", "--no-install-recommends", *PACKAGES]
        if subprocess.run(install, env=environment, stdout=subprocess.DEVNULL).returncode:
            subprocess.run(["apt-get", "update"], env=environment, check=True, stdout=subprocess.DEVNULL)
            subprocess.run(install, env=environment, check=True, stdout=subprocess.DEVNULL)
    finally:
        if before is None:
            POLICY.unlink()
        else:
            POLICY.write_bytes(before)
    for (
        service
    ) in missing:  # a package enables its service for the next boot; one that was here before is left alone
        for command in (["systemctl", "disable", service], ["update-rc.d", service, "disable"]):
            if find(command[0]):
                subprocess.run(command, check=False, capture_output=True)


def versions() -> dict[str, str]:
    """Return the versions of what is installed."""
    answer = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Package} ${Version}\n", "postfix", "dovecot-core"],
        capture_output=True,
        text=True,
    )
    return dict(line.split(" ", 1) for line in answer.stdout.splitlines())
