"""Hits per key and window, in Redis and in process: the same answers."""

import threading

import pytest

from mailcore.outside import counters
from mailcore.outside import redis as redis_door
from tests.fakes.clock import FakeClock


@pytest.fixture(params=["redis", "memory"])
def where(request, settings):
    if request.param == "redis":
        request.getfixturevalue("redis_url")
    else:
        settings.REDIS_URL = ""
    counters.forget_all()
    yield request.param
    if request.param == "redis":
        assert len(counters._memory) == 0  # it did count there
    counters.forget_all()


def test_counts_hits_of_a_key(where):
    assert counters.count("login:bob", 3600) == 0
    assert [counters.hit("login:bob", 3600) for _ in range(3)] == [1, 2, 3]
    assert counters.hit("login:bob", 3600, 10) == 13
    assert counters.count("login:bob", 3600) == 13
    assert counters.hit("login:carol", 3600) == 1


def test_forgets_a_key_when_told(where):
    counters.hit("a", 60)
    counters.hit("a", 3600)
    counters.hit("b", 60)
    counters.clear("a")
    counters.clear("never seen")
    assert (counters.count("a", 60), counters.count("a", 3600), counters.count("b", 60)) == (0, 0, 1)


def test_keeps_windows_of_a_key_apart(where):
    for _ in range(3):
        counters.hit("a", 60)
    assert counters.hit("a", 3600) == 1
    assert counters.count("a", 60) == 3


def test_lets_hits_slide_out_of_the_window(where):
    with FakeClock() as clock:  # stands on a boundary of an hour
        for _ in range(10):
            counters.hit("a", 3600)
        clock.advance(3600)
        assert counters.count("a", 3600) == 10
        clock.advance(1800)
        assert counters.count("a", 3600) == 5
        assert counters.hit("a", 3600) == 6
        clock.advance(1799)
        assert counters.count("a", 3600) == 2  # rounded up: never less than there were
        clock.advance(1)
        assert counters.count("a", 3600) == 1
        clock.advance(3600)
        assert counters.count("a", 3600) == 0


def test_does_not_forget_a_burst_on_the_boundary(where):
    with FakeClock() as clock:
        clock.advance(59)
        for _ in range(10):
            counters.hit("a", 60)
        clock.advance(1)
        assert counters.hit("a", 60) == 11


def test_survives_a_clock_that_jumps(where):
    with FakeClock() as clock:
        counters.hit("a", 60, 5)
        clock.jump(-60)
        assert counters.hit("a", 60) == 6
        clock.jump(-86400)
        assert counters.hit("a", 60) == 1


def test_takes_any_text_as_key(where):
    for key in ("", "a b\r\n\0", "x" * 5000, "é\udcff", "a:b:c", "%d"):
        assert counters.hit(key, 60) == 1
    assert counters.hit("x" * 5000, 60) == 2
    assert counters.hit("x" * 4999 + "y", 60) == 1


def test_counts_every_hit_of_many_threads(where):
    def many():
        for _ in range(50):
            counters.hit("a", 3600)

    threads = [threading.Thread(target=many) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters.count("a", 3600) == 200


def test_lets_redis_forget_what_is_over(redis_url):
    counters.hit("a", 3600)
    counters.hit("a", 60)  # a short window must not shorten the life of a long one
    assert 7000 < redis_door.run(lambda client: client.ttl("count:a")) <= 7200
    counters.count("b", 60)
    assert redis_door.run(lambda client: client.keys("*")) == [b"count:a"]


def test_goes_on_in_process_when_redis_is_gone(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    counters.forget_all()
    assert [counters.hit("a", 60) for _ in range(3)] == [1, 2, 3]
    counters.clear("a")
    assert counters.count("a", 60) == 0


def test_bounds_the_keys_it_keeps():
    memory = counters.Memory(keys=3)
    for name in ("a", "b", "c", "a", "d"):
        memory.ask(name, 60, 1, 1)
    assert len(memory) == 3
    assert memory.ask("a", 60, 1, 0) == (2, 0)
    assert memory.ask("b", 60, 1, 0) == (0, 0)  # hit longest ago
    for number in range(100):
        memory.ask(f"only asked {number}", 60, 1, 0)
    assert len(memory) == 3
