"""SMTP in: port 25 (mx.py), ports 587 and 465 (submission.py), on one protocol (protocol.py)."""
