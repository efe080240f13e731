"""Tar archives are read as the standard library writes them, and never at any price."""

from __future__ import annotations

import gzip
import io
import tarfile
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway_cli.push.archives.errors import ArchiveError, CutOff
from slipway_cli.push.archives.sources import Flow
from slipway_cli.push.archives.tar import MAX_EXTENSION, MAX_MEMBERS, Tar, normal
from tests.archives import members_of, read, written

FORMATS = (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT)
NAME_PART = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=90)


def is_plain(part: str) -> bool:
    return part not in (".", "..")


NAMES = st.lists(NAME_PART.filter(is_plain), min_size=1, max_size=4).map("/".join)
FILES = st.dictionaries(NAMES, st.binary(max_size=2000), max_size=6)


@given(FILES, st.sampled_from(FORMATS[1:]), st.booleans())
def test_files_are_read_as_they_were_written(
    files: dict[str, bytes], format_: int, is_compressed: bool
) -> None:
    archive = written(files, format_=format_)
    found = read(gzip.compress(archive, 1) if is_compressed else archive)
    assert [(member.name, content) for member, content in found] == list(files.items())
    for member, content in found:
        assert archive[member.offset : member.offset + member.size] == content


def test_the_oldest_format_splits_long_names() -> None:
    name = f"{'folder/' * 20}file"
    ((member, content),) = read(written({name: b"x"}, format_=tarfile.USTAR_FORMAT))
    assert (member.name, content) == (name, b"x")


@given(FILES.filter(bool), st.data())
def test_an_archive_that_was_cut_off_is_refused_or_lacks_its_last_files(
    files: dict[str, bytes], data: st.DataObject
) -> None:
    archive = written(files)
    try:
        found = read(archive[: data.draw(st.integers(0, len(archive)))])
    except CutOff:
        return
    whole = list(files.items())
    assert [(member.name, content) for member, content in found] == whole[: len(found)]


@given(st.binary(max_size=4000))
def test_bytes_that_are_no_archive_never_get_further_than_an_error(content: bytes) -> None:
    with suppress(ArchiveError):
        read(content)


@given(FILES.filter(bool), st.integers(0, 511), st.integers(0, 255))
def test_a_damaged_header_is_noticed(files: dict[str, bytes], at: int, value: int) -> None:
    archive = bytearray(written(files, format_=tarfile.GNU_FORMAT))
    if archive[at] == value:
        return
    archive[at] = value
    with pytest.raises(ArchiveError):
        read(bytes(archive))


@pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.SYMTYPE])
def test_a_link_leads_to_a_file_that_comes_before_or_after_it(kind: bytes) -> None:
    target = "one/layer.tar" if kind == tarfile.LNKTYPE else "../one/layer.tar"
    before = members_of(written({"one/layer.tar": b"x"}, {"two/layer.tar": (kind, target)}))
    after = members_of(
        written({}, {"two/layer.tar": (kind, target)})[:512] + written({"one/layer.tar": b"x"})
    )
    for found in (before, after):
        file = found.find("two/layer.tar")
        assert file is not None
        assert file.document() == b"x"


def test_links_that_lead_in_a_circle_or_to_nothing_lead_nowhere() -> None:
    links = {"a": (tarfile.SYMTYPE, "b"), "b": (tarfile.SYMTYPE, "a")}
    found = members_of(written({}, {**links, "c": (tarfile.SYMTYPE, "/etc/passwd")}))
    with pytest.raises(ArchiveError, match="circle"):
        found.find("a")
    assert found.find("c") is None


def test_of_two_files_of_one_name_the_last_counts_as_when_it_is_unpacked() -> None:
    archive = written({"a": b"1"})[:1024] + written({}, {"a": (tarfile.SYMTYPE, "b")})[:512]
    file = members_of(archive + written({"a": b"2"})).find("a")
    assert file is not None
    assert file.document() == b"2"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("./a//b", "a/b"), ("/a", "a"), ("../../a", "a"), ("a/../b", "b"), ("a/", "a"), (".", "")],
)
def test_names_lead_nowhere_outside_the_archive(name: str, expected: str) -> None:
    assert normal(name) == expected


def _header(size: int, kind: bytes) -> bytes:
    member = tarfile.TarInfo("name")
    member.size, member.type = size, kind
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [b"x", b"g", b"L", b"K"])
def test_a_header_gets_no_more_memory_than_a_long_name_needs(kind: bytes) -> None:
    with pytest.raises(ArchiveError, match="name of more than"):
        read(_header(MAX_EXTENSION + 1, kind) + bytes(512))


def test_a_huge_size_is_a_cut_off_archive_and_not_a_huge_read() -> None:
    with pytest.raises(CutOff):
        read(_header(2**60, b"0") + b"x" * 1024)


def test_a_negative_size_is_refused() -> None:
    with pytest.raises(ArchiveError, match="negative"):
        read(_header(-512, b"0"))


def test_a_sparse_file_is_refused() -> None:
    with pytest.raises(ArchiveError, match="sparse"):
        read(_header(512, b"S") + bytes(512))


def test_there_are_no_more_members_than_can_be_remembered() -> None:
    class Endless:
        """One header, again and again."""

        def __init__(self) -> None:
            self.count = 0
            self._header = _header(0, b"0")

        def read(self, size: int) -> bytes:
            self.count += 1
            return self._header

        def skip(self, size: int) -> None:
            assert size == 0

    endless = Endless()
    tar = Tar(endless)
    with pytest.raises(ArchiveError, match="more than"):  # noqa: PT012 - it is one of many calls
        while tar.next():
            pass
    assert endless.count == MAX_MEMBERS + 1


@pytest.mark.parametrize(
    ("magic", "program"), [(b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"BZh9", "bzip2")]
)
def test_other_compressions_are_named_with_what_undoes_them(magic: bytes, program: str) -> None:
    with pytest.raises(ArchiveError, match=f"{program} -dc"):
        Flow(io.BytesIO(magic + bytes(100)))


def test_a_damaged_or_cut_off_compression_is_noticed_where_the_archive_is_whole() -> None:
    archive = written({"a": b"x" * 5000})
    compressed = gzip.compress(archive, 1)
    for damaged in (compressed[:-4], compressed[:-8] + bytes(8)):
        flow = Flow(io.BytesIO(damaged))
        tar = Tar(flow)
        with pytest.raises(ArchiveError):  # noqa: PT012 - wherever it is noticed
            while tar.next():
                pass
            flow.end()
