"""Many inputs in one go: in order, one bad file never stops the rest, paused and cancelled when asked."""

import shutil
import threading
from pathlib import Path

import pandas as pd
import pytest

from lung_models.batch import Batch, flat
from lung_models.reader import Reader
from lung_models.reading import Reading


@pytest.fixture
def folder(tmp_path: Path, chest_file: Path, leg_file: Path) -> Path:
    shutil.copy(chest_file, tmp_path / "a.dcm")
    (tmp_path / "b.png").write_text("no picture")
    shutil.copy(leg_file, tmp_path / "c.dcm")
    shutil.copy(chest_file, tmp_path / "d.dcm")
    return tmp_path


def test_every_input_has_its_line_in_order_whatever_it_is(folder: Path, reader: Reader) -> None:
    batch = Batch([folder], reader, name=lambda source: source.name).start()
    batch.join()
    assert batch.state == "finished" and batch.total == 4
    assert [(line["path"], line["accepted"]) for line in batch.lines] == [
        ("a.dcm", True),
        ("b.png", False),
        ("c.dcm", False),
        ("d.dcm", True),
    ]
    frame = pd.DataFrame([flat(line) for line in batch.lines])
    assert frame["cardiomegaly_probability"].notna().tolist() == [True, False, False, True]
    assert frame["findings_version"].nunique() == 1
    frame.to_parquet(folder / "table.parquet")
    assert pd.read_parquet(folder / "table.parquet")["path"].tolist() == frame["path"].tolist()


def test_what_cannot_be_kept_is_said_and_the_rest_goes_on(folder: Path, reader: Reader) -> None:
    numbers = iter([7])

    def keep(data: bytes, reading: Reading) -> int:
        if not reading.accepted:
            raise OSError("no space")
        return next(numbers, 8)

    batch = Batch([folder], reader, keep=keep).start()
    batch.join()
    assert [line.get("reading") for line in batch.lines] == [7, None, None, 8]
    assert [("not_kept" in line) for line in batch.lines] == [False, False, True, False]
    assert "no space" not in str(batch.lines)


def test_paused_it_reads_no_further_and_cancelled_it_ends(folder: Path, reader: Reader) -> None:
    first, go = threading.Event(), threading.Event()

    def keep(data: bytes, reading: Reading) -> int:
        first.set()
        go.wait()
        return 1

    batch = Batch([folder], reader, keep=keep).start()
    first.wait()
    batch.pause()
    go.set()
    assert batch.state == "paused"
    batch.cancel()
    batch.join()
    assert batch.state == "cancelled" and [line["path"] for line in batch.lines] == [str(folder / "a.dcm")]
    again = Batch([folder], reader)
    again.pause()
    again.start()
    assert again.state == "paused" and again.lines == []
    again.go_on()
    again.join()
    assert len(again.lines) == 4
