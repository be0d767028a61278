"""Postfix and Dovecot as private instances beside ours, to measure against: `python -m bench.peers up DIR`."""
