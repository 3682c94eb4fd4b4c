"""``read --keep``, ``worklist`` and ``export`` on the command line."""

import json
from pathlib import Path

import pytest
from pydicom import dcmread
from pypdf import PdfReader

from lung_models.__main__ import main


@pytest.fixture
def kept(data_folder: Path, chest_file: Path, capsys: pytest.CaptureFixture[str]) -> int:
    assert main(["read", str(chest_file), "--keep", "--json", "--device", "cpu"]) == 0
    return int(json.loads(capsys.readouterr().out)["reading"])


def test_what_is_kept_is_on_the_worklist(kept: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worklist", "--json"]) == 0
    (entry,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert entry["reading"] == kept and entry["patient"] == "Patient 0001" and len(entry["findings"]) == 6
    assert main(["worklist"]) == 0
    assert "Patient 0001" in capsys.readouterr().out
    assert main(["worklist", "--json", "--search", "nobody"]) == 0
    assert capsys.readouterr().out == ""


def test_every_export_is_written_and_report_and_segmentation_belong_together(kept: int, tmp_path: Path) -> None:
    files = {kind: tmp_path / f"it.{kind}" for kind in ("pdf", "seg", "sr", "sc", "png", "json", "csv")}
    assert (
        main(["export", str(kept), *(part for kind, path in files.items() for part in (f"--{kind}", str(path)))]) == 0
    )
    assert "Patient 0001" in PdfReader(files["pdf"]).pages[0].extract_text()
    segmented, report = dcmread(files["seg"]), dcmread(files["sr"])
    assert segmented.PatientID == report.PatientID == "Patient 0001"
    assert segmented.SOPInstanceUID in str(report)
    assert json.loads(files["json"].read_text())["path"] == "Patient 0001"


def test_wrong_numbers_and_nothing_to_write(
    kept: int, tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", "99", "--pdf", str(tmp_path / "x.pdf")]) == 1
    assert "There is no reading 99" in caplog.text
    with pytest.raises(SystemExit) as ended:
        main(["export", str(kept)])
    assert ended.value.code == 2
    assert main(["export", str(kept), "--pdf", str(tmp_path / "nowhere" / "x.pdf")]) == 1
