"""Mail leaves from the addresses of its tenant's pool, of the right kind, under their own names."""

import pytest

from hostmail.env import SourceAddress
from mailcore.errors import BadValue, NoSource
from mailcore.models import AuditEntry
from mailcore.outside.routes import Target
from mailcore.services import dns_records, outbound, relays, tenants
from mailcore.services.outbound import sources
from mailcore.services.queue import Pair
from tests.cast import Cast
from tests.fakes import FakeRemote, MemoryWorker

pytestmark = pytest.mark.django_db(transaction=True)
PLAIN, BULK, SIX = (
    SourceAddress("", "127.0.0.3", "out3.ours.test"),
    SourceAddress("bulk", "127.0.0.2"),
    SourceAddress("", "::1"),
)


@pytest.fixture
def cast(data_dir, settings):
    settings.HOSTMAIL_SOURCE_ADDRESSES = [PLAIN, BULK]
    with MemoryWorker():
        yield Cast()


def test_gives_each_tenant_its_pool(cast, settings):
    tenant = cast.alice.tenant
    assert sources.of_tenant(tenant.pk) == (PLAIN,)
    tenants.set_source_pool(tenant, "bulk", actor=cast.alice.user)
    assert AuditEntry.objects.get(verb="tenant.source_pool").data == {"to": "bulk"}
    assert sources.of_tenant(tenant.pk) == (BULK,)
    assert sources.of_tenant(cast.charlie.tenant.pk) == (PLAIN,)
    with pytest.raises(BadValue):
        tenants.set_source_pool(tenant, "gone", actor=None)
    settings.HOSTMAIL_SOURCE_ADDRESSES = [PLAIN]
    assert sources.of_tenant(tenant.pk) == (PLAIN,)
    settings.HOSTMAIL_SOURCE_ADDRESSES = []
    assert sources.of_tenant(tenant.pk) == ()


def test_keeps_to_hosts_of_its_kind():
    four, six = Target("a.test", "192.0.2.1"), Target("a.test", "2001:db8::1")
    assert sources.reachable([four, six], (PLAIN,)) == (four,)
    assert sources.reachable([four, six], (PLAIN, SIX)) == (four, six)
    assert sources.reachable([six], ()) == (six,)
    with pytest.raises(NoSource):
        sources.reachable([six], (PLAIN,))
    assert sources.pick((PLAIN, SIX), six.address) == SIX
    assert sources.pick((), six.address) is None


def test_binds_to_the_address_and_says_its_name(cast):
    """A host sees the address that was chosen, and keys tell pools apart."""
    with FakeRemote() as remote:
        relay = relays.add(None, "127.0.0.1", port=remote.port, tls="none", actor=None)
        ways = []
        for _ in range(2):
            ways.append(outbound.way(Pair("example.org", cast.alice.tenant.pk, 0, relay.pk)))
            courier = outbound.Courier("me", ways[-1])
            link = courier._connect(set(), "")
            assert link.talk.is_open
            assert link.talk._wire._socket.getsockname()[0] == ways[-1].sources[0].address
            courier.close()
            tenants.set_source_pool(cast.alice.tenant, "bulk", actor=None)
        said = [command for command in remote.commands if command.startswith("EHLO")]
    assert said == ["EHLO out3.ours.test", "EHLO localhost"]
    assert ways[0].key != ways[1].key


def test_is_part_of_what_spf_allows(settings):
    settings.HOSTMAIL_SOURCE_ADDRESSES = [BULK]
    assert dns_records.spf_mechanisms() == [f"a:{settings.HOSTMAIL_HOSTNAME}", "ip4:127.0.0.2"]
    settings.HOSTMAIL_SOURCE_ADDRESSES = [PLAIN, SIX]
    assert dns_records.spf_mechanisms() == ["ip4:127.0.0.3", "ip6:::1"]
