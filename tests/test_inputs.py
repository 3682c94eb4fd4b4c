"""What becomes an input, and what a damaged archive costs: one refused line, never the run."""

import struct
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import pytest

from lung_models import inputs
from lung_models.decode.limits import Limits
from lung_models.inputs import sources
from lung_models.radiograph import Refusal

TEXT = b"of a radiograph " * 500


def read(paths: list[Path], limits: Limits | None = None) -> list[tuple[str, bytes | str]]:
    """Each input's path below the first one's folder, and its bytes or the reason of its refusal."""
    results: list[tuple[str, bytes | str]] = []
    for source in sources(paths):
        path = str(Path(source.path).relative_to(paths[0].parent))
        try:
            results.append((path, source.read(limits or Limits())))
        except Refusal as refusal:
            results.append((path, refusal.reason))
    return results


def packed(path: Path, *names: str, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # zipfile warns of a duplicate name
        for number, name in enumerate(names):
            archive.writestr(name, TEXT + bytes([number]))
    return path


def content_of(path: Path, entry: str) -> int:
    """Where an entry's packed bytes begin."""
    with zipfile.ZipFile(path) as archive:
        return archive.getinfo(entry).header_offset + 30 + len(entry)


def overwrite(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as stream:
        stream.seek(at)
        stream.write(content)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_damaged_entry_is_one_refusal(tmp_path: Path, compression: int) -> None:
    path = packed(tmp_path / "a.zip", "1.dcm", "2.dcm", "3.dcm", compression=compression)
    overwrite(path, content_of(path, "2.dcm") + 9, b"\xff" * 12)
    first, second, third = read([path])
    assert first == ("a.zip/1.dcm", TEXT + b"\0") and third == ("a.zip/3.dcm", TEXT + b"\2")
    assert second == ("a.zip/2.dcm", "The archive's entry is damaged: it cannot be unpacked.")


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_entry_that_inflates_without_bound_is_one_refusal(tmp_path: Path, compression: int) -> None:
    path = packed(tmp_path / "a.zip", "1.dcm", "2.dcm", compression=compression)
    assert ["unsupported" in str(reason) for _, reason in read([path])] == [True, True]


def test_an_unknown_way_of_packing_is_one_refusal(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "1.dcm", "2.dcm")
    overwrite(path, path.read_bytes().index(b"PK\x01\x02") + 10, struct.pack("<H", 93))  # Zstandard (APPNOTE 4.4.5)
    first, second = read([path])
    assert "unsupported" in str(first[1]) and second[1] == TEXT + b"\1"


def test_a_local_header_that_is_cut_short_is_one_refusal(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "1.dcm")
    listed = sources([path])
    source = next(listed)
    path.write_bytes(path.read_bytes()[:20])  # after it was listed
    with pytest.raises(Refusal, match="damaged"):
        source.read(Limits())


def test_a_password_is_one_refusal(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "1.dcm", "2.dcm")
    overwrite(path, path.read_bytes().index(b"PK\x01\x02") + 8, b"\x01")
    first, second = read([path])
    assert "password" in str(first[1]) and second[1] == TEXT + b"\1"


@pytest.mark.parametrize("spoilt", ["signature", "name", "cut"])
def test_an_archive_that_cannot_be_listed_is_one_refused_input(tmp_path: Path, spoilt: str) -> None:
    path = packed(tmp_path / "a.zip", "1.dcm", "2.dcm")
    directory = path.read_bytes().index(b"PK\x01\x02")
    if spoilt == "signature":
        overwrite(path, directory, b"XX")
    elif spoilt == "name":
        overwrite(path, directory + 9, b"\x08")  # the name is said to be UTF-8, and is not
        overwrite(path, directory + 46, b"\xff")
    else:
        path.write_bytes(path.read_bytes()[:directory])
    other = tmp_path / "other.dcm"
    other.write_bytes(TEXT)
    assert read([path, other]) == [
        ("a.zip", "The ZIP archive is damaged: its list of files cannot be read. Send it again."),
        ("other.dcm", TEXT),
    ]


def test_a_picture_that_ends_like_an_archive_is_a_picture(tmp_path: Path) -> None:
    archive = packed(tmp_path / "a.zip", "1.dcm")
    path = tmp_path / "chest.dcm"
    path.write_bytes(TEXT + archive.read_bytes())
    assert zipfile.is_zipfile(path)
    assert [name for name, _ in read([path])] == ["chest.dcm"]


def test_entries_beyond_the_limit_are_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "MOST_ARCHIVE_ENTRIES", 2)
    path = packed(tmp_path / "a.zip", "1", "2", "3", "4", "5", ".hidden", "__MACOSX/6")
    results = read([path])
    assert [name for name, _ in results] == ["a.zip/1", "a.zip/2", "a.zip"]
    assert "has 5 files" in str(results[-1][1]) and "last 3 were not read" in str(results[-1][1])


def test_entries_of_one_name_are_each_read(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "b", "a", "a")
    assert [content for _, content in read([path])] == [TEXT + b"\1", TEXT + b"\2", TEXT + b"\0"]


def test_an_archive_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path / "a.zip", *(str(number) for number in range(9)))
    opened: list[Path] = []

    class Counted(zipfile.ZipFile):
        def __init__(self, file: Path) -> None:
            opened.append(file)
            super().__init__(file)

    monkeypatch.setattr(inputs.zipfile, "ZipFile", Counted)
    assert len(read([path])) == 9 and opened == [path]


def test_an_entry_that_lies_about_its_size_is_not_unpacked_further(tmp_path: Path) -> None:
    path, size, claimed = tmp_path / "a.zip", 50_000_000, 1_000_000
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(size))
    overwrite(path, path.read_bytes().index(b"PK\x01\x02") + 24, struct.pack("<L", claimed))
    tracemalloc.start()
    assert "damaged" in str(read([path])[0][1])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < size / 5


def test_what_is_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", "1")
    (tmp_path / "b.dcm").write_bytes(TEXT)
    assert all("the limit is" in str(reason) for _, reason in read([path, tmp_path / "b.dcm"], Limits(bytes=100)))


def test_a_path_that_cannot_be_looked_at_is_one_refused_input(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 300)
    other = tmp_path / "other.dcm"
    other.write_bytes(TEXT)
    assert read([long, other]) == [(long.name, "The file cannot be opened: File name too long."), ("other.dcm", TEXT)]
