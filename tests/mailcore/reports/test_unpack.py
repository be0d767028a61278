"""Finding and unpacking the file that is a report."""

import gzip
import zipfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcore import limits
from mailcore.errors import BadReport
from mailcore.reports import unpack
from tests.mailcore.reports import samples


@pytest.mark.parametrize("pack", [bytes, samples.gzipped, samples.zipped])
def test_gives_back_what_was_packed(pack):
    assert unpack.unpack(pack(samples.GOOGLE)) == samples.GOOGLE


def test_finds_the_file_before_the_words_for_people():
    packed = samples.gzipped(samples.GOOGLE)
    first, *others = unpack.files(samples.mail(packed))
    assert first == packed
    assert others == [b"A report."]


@pytest.mark.parametrize("pack", [samples.gzipped, samples.zipped])
def test_stops_at_what_unpacks_without_end(monkeypatch, pack):
    monkeypatch.setattr(limits, "REPORT_OCTETS", 1000)
    assert unpack.unpack(pack(bytes(1000))) == bytes(1000)
    with pytest.raises(BadReport, match="too big"):
        unpack.unpack(pack(bytes(1001)))


def test_reads_no_more_of_a_bomb_than_a_report_may_have(monkeypatch):
    monkeypatch.setattr(limits, "REPORT_OCTETS", 1000)
    read = []
    engine = zlib.decompressobj(wbits=31)

    class Counting:
        eof = True

        def decompress(self, octets, most):
            read.append(most)
            return engine.decompress(octets, most)

    monkeypatch.setattr(zlib, "decompressobj", lambda wbits: Counting())
    with pytest.raises(BadReport):
        unpack.unpack(gzip.compress(bytes(10_000_000)))
    assert read == [1001]


def test_refuses_what_is_packed_in_ways_that_cost_memory():
    with pytest.raises(BadReport, match="packed in a way"):
        unpack.unpack(samples.zipped(b"x", method=zipfile.ZIP_LZMA))


def test_refuses_several_files_and_what_is_cut_off():
    with pytest.raises(BadReport):
        unpack.unpack(samples.gzipped(samples.GOOGLE)[:-20])
    with pytest.raises(BadReport):
        unpack.unpack(samples.zipped(samples.GOOGLE)[:-30])
    with pytest.raises(BadReport, match="too many"):
        unpack.unpack(samples.zipped(b"x") + b"PK\x01\x02" * 30)


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x1f\x8b\x08\0", b"PK\x03\x04"]), st.integers(0, 400))
def test_is_total_on_any_octets(octets, start, at):
    zipped = bytearray(samples.zipped(b"some report"))
    zipped[at % len(zipped)] ^= octets[0] if octets else 1
    for packed in (start + octets, bytes(zipped)):
        try:
            unpack.unpack(packed)
        except BadReport:
            pass


@given(st.binary(max_size=300))
def test_looks_for_files_in_any_mail(raw):
    assert all(isinstance(found, bytes) for found in unpack.files(raw))
