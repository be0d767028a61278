"""Stand-ins for the world: a clock that is moved, name servers and mail hosts that answer as told, a bell.

Real sockets on loopback wherever the real thing has a socket. All are context managers.
"""

from tests.fakes.bell import MemoryBell, MemoryWorker
from tests.fakes.clock import FakeClock
from tests.fakes.dns import FakeDNS
from tests.fakes.remote import FakeRemote

__all__ = ["FakeClock", "FakeDNS", "FakeRemote", "MemoryBell", "MemoryWorker"]
