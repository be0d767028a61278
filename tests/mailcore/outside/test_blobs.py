"""Octets by hash: one set of tests for files and for an S3-compatible store, then what only files promise."""

import datetime as dt
import errno
import hashlib
import os
import threading
import time

import pytest

from mailcore.errors import DiskFull, NoSuchBlob, StoreDown
from mailcore.outside import blobs


def named(raw):
    return hashlib.sha256(raw).hexdigest()


@pytest.fixture(scope="session")
def s3():
    """A bucket at a server of our own on loopback; gives its URL."""
    moto_server = pytest.importorskip("moto.server")
    logging = __import__("logging")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    import httpx

    for bucket in ("hostmail-blobs",):
        httpx.put(f"{endpoint}/{bucket}").raise_for_status()
    yield f"s3://hostmail-blobs?endpoint={endpoint}&region=us-east-1"
    server.stop()


@pytest.fixture(params=["files", "s3"])
def store(request, settings, data_dir, monkeypatch):
    if request.param == "s3":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        settings.HOSTMAIL_STORAGE_URL = request.getfixturevalue("s3")
        for blob in list(blobs.iterate()):
            blobs.drop(blob.tenant_id, blob.sha256)
    else:
        settings.HOSTMAIL_STORAGE_URL = ""
    return blobs


@pytest.fixture
def files(settings, data_dir):
    settings.HOSTMAIL_STORAGE_URL = ""
    return data_dir / "blobs"


def test_gives_back_what_was_put(store):
    for raw in (b"", b"x", os.urandom(300_000)):
        store.put(7, named(raw), raw)
        assert store.get(7, named(raw)) == raw
        assert store.exists(7, named(raw))


def test_keeps_tenants_apart(store):
    store.put(7, named(b"x"), b"x")
    assert not store.exists(8, named(b"x"))
    with pytest.raises(NoSuchBlob):
        store.get(8, named(b"x"))
    store.drop(8, named(b"x"))
    assert store.exists(7, named(b"x"))


def test_takes_the_same_twice(store):
    store.put(7, named(b"x"), b"x")
    store.put(7, named(b"x"), b"x")
    assert store.get(7, named(b"x")) == b"x"
    assert len(list(store.iterate())) == 1


def test_drops_what_is_there_and_what_is_not(store):
    store.put(7, named(b"x"), b"x")
    store.drop(7, named(b"x"))
    store.drop(7, named(b"x"))
    assert not store.exists(7, named(b"x"))


def test_puts_many_at_once(store):
    items = [(tenant, named(raw), raw) for tenant in (1, 2) for raw in (os.urandom(1000) for _ in range(20))]
    store.put_many(items)
    assert all(store.get(tenant, name) == raw for tenant, name, raw in items)
    store.put_many([])


def test_walks_through_all_blobs(store):
    store.put_many([(1, named(b"a"), b"a"), (1, named(b"bb"), b"bb"), (12, named(b"a"), b"a")])
    found = {(blob.tenant_id, blob.sha256): blob for blob in store.iterate()}
    assert set(found) == {(1, named(b"a")), (1, named(b"bb")), (12, named(b"a"))}
    blob = found[1, named(b"bb")]
    assert blob.octets == 2
    assert abs(blob.modified_at - dt.datetime.now(dt.UTC)) < dt.timedelta(minutes=1)
    assert {blob.tenant_id for blob in store.iterate(1)} == {1}
    assert list(store.iterate(99)) == []


@pytest.mark.parametrize(
    "name", ["", "../" * 20 + "etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n", "/" * 64]
)
def test_refuses_names_that_are_no_hashes(store, name):
    with pytest.raises(ValueError):
        store.put(7, name, b"x")
    with pytest.raises(ValueError):
        store.get(7, name)


# --- files -----------------------------------------------------------------------------------------------


def test_lays_files_out_by_tenant_and_hash(files):
    blobs.put(7, named(b"x"), b"x")
    name = named(b"x")
    path = files / "7" / name[:2] / name[2:]
    assert path.read_bytes() == b"x"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_syncs_file_and_folders_before_it_answers(files, monkeypatch):
    """The order that survives a power cut: data, name, folder, the folders above when new."""
    steps = []
    real = {name: getattr(os, name) for name in ("fdatasync", "fsync")}
    for name, function in real.items():

        def spy(handle, name=name, function=function):
            steps.append((name, os.readlink(f"/proc/self/fd/{handle}")))
            return function(handle)

        monkeypatch.setattr(os, name, spy)
    first = named(b"x")
    blobs.put(7, first, b"x")
    kinds = [kind for kind, _ in steps]
    assert kinds[0] == "fdatasync"
    assert steps[0][1].endswith(".new")
    synced = {path for kind, path in steps if kind == "fsync"}
    folder = files / "7" / first[:2]
    assert synced == {str(path) for path in (folder, folder.parent, files, files.parent)}
    steps.clear()
    blobs.put(7, first, b"x")  # there already: still its folder, whose sync may be under way elsewhere
    assert steps == [("fsync", str(folder))]


def test_syncs_each_folder_once_for_many(files, monkeypatch):
    synced = []
    real = os.fsync

    def spy(handle):
        synced.append(os.readlink(f"/proc/self/fd/{handle}"))
        real(handle)

    raws = [str(number).encode() for number in range(2000)]
    folder = named(raws[0])[:2]
    same = [raw for raw in raws if named(raw)[:2] == folder]
    assert len(same) > 3
    monkeypatch.setattr(os, "fsync", spy)
    blobs.put_many([(7, named(raw), raw) for raw in same])
    assert synced.count(str(files / "7" / folder)) == 1


def test_leaves_nothing_behind_when_the_disk_is_full(files, monkeypatch):
    def full(handle, view):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(DiskFull) as failed:
        blobs.put(7, named(b"x"), b"x")
    assert failed.value.smtp == (452, "4.3.1")
    assert not blobs.exists(7, named(b"x"))
    assert [path for path in files.rglob("*") if path.is_file()] == []


def test_reports_other_trouble_as_temporary(files, monkeypatch):
    def broken(handle):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(StoreDown) as failed:
        blobs.put_many([(7, named(raw), raw) for raw in (b"a", b"b")])
    assert failed.value.retry
    assert not blobs.exists(7, named(b"a"))


def test_makes_an_old_blob_young_again(files):
    name = named(b"x")
    blobs.put(7, name, b"x")
    path = files / "7" / name[:2] / name[2:]
    os.utime(path, (1, 1))
    blobs.put(7, name, b"x")
    (blob,) = blobs.iterate()
    assert blob.modified_at.year >= 2026


def test_replaces_a_file_that_a_crash_cut_short(files):
    name = named(b"whole")
    path = files / "7" / name[:2] / name[2:]
    path.parent.mkdir(parents=True)
    path.write_bytes(b"who")
    blobs.put(7, name, b"whole")
    assert blobs.get(7, name) == b"whole"


def test_passes_over_what_is_not_a_blob(files):
    blobs.put(7, named(b"x"), b"x")
    folder = files / "7" / named(b"x")[:2]
    (folder / "abc.123.new").write_bytes(b"half")
    (files / "lost+found").mkdir()
    (files / "7" / "stray").write_bytes(b"")
    assert [blob.sha256 for blob in blobs.iterate()] == [named(b"x")]
    assert blobs.backend().sweep_unfinished(3600) == 0
    os.utime(folder / "abc.123.new", (1, 1))
    assert blobs.backend().sweep_unfinished(3600) == 1
    assert blobs.exists(7, named(b"x"))


def test_lets_many_threads_put_the_same(files):
    raw = os.urandom(100_000)
    errors = []

    def put():
        try:
            for _ in range(5):
                blobs.put(7, named(raw), raw)
                assert blobs.get(7, named(raw)) == raw
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=put) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len([path for path in files.rglob("*") if path.is_file()]) == 1


# --- S3 --------------------------------------------------------------------------------------------------


def test_says_store_down_when_the_bucket_does_not_answer(settings, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    settings.HOSTMAIL_STORAGE_URL = "s3://hostmail-gone?endpoint=http://127.0.0.1:1&region=us-east-1"
    started = time.monotonic()
    with pytest.raises(StoreDown):
        blobs.put(7, named(b"x"), b"x")
    assert time.monotonic() - started < 30
    with pytest.raises(StoreDown):
        blobs.get(7, named(b"x"))


def test_says_store_down_without_the_bucket(settings, s3, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    settings.HOSTMAIL_STORAGE_URL = s3.replace("hostmail-blobs", "hostmail-other")
    with pytest.raises(StoreDown):
        blobs.put(7, named(b"x"), b"x")
