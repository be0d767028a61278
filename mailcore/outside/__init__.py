"""The only doors to the world: clock, counters, DNS, blobs, doorbell, worker, remote hosts, TLS.

Each has a fake twin in tests/fakes. Nothing here reads or writes rows.
"""
