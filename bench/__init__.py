"""Load programs that measure any mail server from outside: they know hosts, ports and logins, nothing of
Hostmail.

Each program is run as `python -m bench.NAME`; README.md says what each one measures and how.
"""
