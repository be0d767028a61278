"""Postfix and Dovecot as private instances, to measure against: `python -m bench.peers up DIR`."""
