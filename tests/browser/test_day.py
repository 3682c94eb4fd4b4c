"""A radiologist's day in a real browser with a real PACS: query, keep, correct, judge, export, store, compare."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect
from pydicom import Dataset, dcmread
from pypdf import PdfReader

from lung_models.exports.export import KINDS
from lung_models.pacs.dicomweb import Pacs
from lung_models.pacs.settings import Endpoint
from lung_models.records import audit, verdicts
from lung_models.records.database import Database
from lung_models.records.verdicts import newest_correction
from pages.components.exports_panel import BUTTONS
from tests.browser.conftest import canvas_content, drawn, running_app, unfold, wait_for_findings
from tests.browser.test_correct import stroke
from tests.conftest import free_port
from tests.orthanc import PASSWORD, USER, running_orthanc

pytestmark = pytest.mark.browser


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def own_app(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An app with records of its own, whose settings name the PACS."""
    (tmp_path / "settings.toml").write_text(
        f"[pacs.ward]\nurl = 'http://127.0.0.1:{port}/dicom-web'\nusername = '{USER}'\npassword = '{PASSWORD}'\n"
    )
    monkeypatch.setenv("LUNGS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LUNGS_SETTINGS", str(tmp_path / "settings.toml"))
    with (tmp_path / "app.log").open("wb") as output, running_app(output) as address:
        yield address


def earlier(study: Dataset) -> Dataset:
    """A study of the same patient a year before, a little narrower."""
    stream = BytesIO()
    study.save_as(stream)
    prior = dcmread(BytesIO(stream.getvalue()))
    pixels = prior.pixel_array[:, :1800].copy()
    prior.Columns, prior.PixelData, prior.StudyDate = pixels.shape[1], pixels.tobytes(), "20030101"
    prior.StudyInstanceUID, prior.SeriesInstanceUID = "1.2.3.1", "1.2.3.2"
    prior.SOPInstanceUID = prior.file_meta.MediaStorageSOPInstanceUID = "1.2.3.3"
    return prior


def modalities(pacs: Pacs, study_uid: str) -> list[str]:
    found = pacs._client.search_for_instances(study_uid, fields=["Modality"])
    return sorted(str(Dataset.from_json(one).Modality) for one in found)


def retrieve(page: Page, date: str) -> None:
    """Open a study that was found, and wait until it is read."""
    drawn(page)
    page.get_by_role("button", name=f"{date} CR 9RG1").click()
    expect(page.locator(".corner.top-left")).to_contain_text(f"{date} 1")
    wait_for_findings(page)
    drawn(page)


def keep(page: Page, reading: int) -> None:
    unfold(page, "Keep this study")
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.get_by_text(f"Kept without identity: Patient 0001, reading {reading}")).to_be_visible()
    drawn(page)


def exported(page: Page) -> dict[str, bytes]:
    """Every kind of export, as the browser saved it."""
    unfold(page, "Export")
    files = {}
    for kind, (label, _) in BUTTONS.items():
        with page.expect_download() as download:
            page.get_by_role("button", name=label, exact=True).click()
        assert download.value.suggested_filename == KINDS[kind][0]
        files[kind] = Path(download.value.path()).read_bytes()
        drawn(page)
    return files


def choose(page: Page, rows: list[int]) -> None:
    """Tick rows of the worklist's table, which is a canvas."""
    box = page.get_by_test_id("stDataFrame").locator("canvas").first.bounding_box()
    assert box is not None
    for row in rows:
        page.mouse.click(box["x"] + 15, box["y"] + 36 + 56 * row + 28)
        drawn(page)


def test_a_day(
    page: Page, own_app: str, port: int, chest_file: Path, tmp_path: Path, screenshot: Callable[[Page, str], None]
) -> None:
    original = dcmread(chest_file)
    pacs = Pacs(Endpoint("ward", f"http://127.0.0.1:{port}/dicom-web", USER, PASSWORD))
    page.goto(own_app)
    wait_for_findings(page)
    drawn(page)
    unfold(page, "From the PACS")
    page.get_by_role("textbox", name="Patient ID").fill(str(original.PatientID))
    page.get_by_role("button", name="Query").click()
    expect(page.get_by_text("ward cannot be reached")).to_be_visible()  # it is not started yet
    with running_orthanc(tmp_path / "orthanc", port):
        pacs.store([original, earlier(original)])
        drawn(page)
        page.get_by_role("button", name="Query").click()
        expect(page.get_by_text("2 found")).to_be_visible()
        retrieve(page, "2003-01-01")
        keep(page, 1)
        retrieve(page, "2004-08-26")

        page.get_by_role("button", name="Correct", exact=True).click()
        stroke(page, (0.70, 0.70), (0.78, 0.72))
        page.keyboard.press("Enter")
        expect(page.get_by_text("Outlines; measurements follow them")).to_be_visible()
        drawn(page)
        keep(page, 2)
        unfold(page, "Verdict")
        page.get_by_role("button", name="Agree with every call").click()
        drawn(page)
        page.get_by_role("textbox", name="Note").fill("masses")
        page.get_by_role("button", name="Save verdict").click()
        expect(page.get_by_text("no disagreement")).to_be_visible()
        drawn(page)
        screenshot(page, "verdict")
        (verdict,) = verdicts.of_reading(Database(), 2)
        assert verdict.note == "masses" and verdict.corrected_ratio is not None
        assert newest_correction(Database(), 2) is not None

        check(exported(page), original, verdict.corrected_ratio)
        page.get_by_role("button", name="Store results in ward").click()
        expect(page.get_by_text("3 objects stored in ward")).to_be_visible()
        screenshot(page, "pacs")
        assert modalities(pacs, str(original.StudyInstanceUID)) == ["CR", "OT", "SEG", "SR"]
    drawn(page)
    page.get_by_role("button", name="Store results in ward").click()
    expect(page.get_by_text("Not stored; the study is still there. ward cannot be reached")).to_be_visible()
    expect(page.locator(".row")).to_have_count(6)

    compare(page, screenshot)
    acts = [(str(row["action"]), str(row["subject"])) for row in audit.export(Database())]
    for act in (("keep", "study 2, reading 2"), ("verdict", "reading 2"), ("open", "reading 1"), ("open", "reading 2")):
        assert acts.count(act) == 1, acts
    assert acts.count(("export", "reading 2")) == len(KINDS) and ("store", "Patient 0001 in ward") in acts
    assert audit.verify(Database()).broken is None


def check(files: dict[str, bytes], original: Dataset, corrected_ratio: float) -> None:
    """Each export holds the reading and none of the patient's identity."""
    text = PdfReader(BytesIO(files["pdf"])).pages[0].extract_text()
    assert "Patient 0001" in text and "corrected by hand" in text and "masses" in text
    assert cv2.imdecode(np.frombuffer(files["png"], np.uint8), cv2.IMREAD_COLOR) is not None
    assert round(json.loads(files["json"])["anatomy"]["cardiothoracic_ratio"], 2) == round(corrected_ratio, 2)
    assert len(pd.read_csv(BytesIO(files["csv"]))) == 1
    objects = {kind: dcmread(BytesIO(files[kind])) for kind in ("seg", "sr", "sc")}
    assert [one.Modality for one in objects.values()] == ["SEG", "SR", "OT"]
    for one in objects.values():
        assert one.PatientID != original.PatientID and one.StudyInstanceUID != original.StudyInstanceUID
    for content in files.values():
        assert str(original.PatientName).encode() not in content
        assert str(original.StudyInstanceUID).encode() not in content


def compare(page: Page, screenshot: Callable[[Page, str], None]) -> None:
    """Both studies side by side, moving together; then back to the viewer."""
    page.get_by_role("link", name="Worklist").first.click()
    expect(page.get_by_text("2 studies")).to_be_visible()
    drawn(page)
    choose(page, [0, 1])
    expect(page.locator(".viewer")).to_have_count(2)
    expect(page.get_by_text("Earlier")).not_to_have_count(0)
    page.locator(".stage > canvas").first.focus()
    before = page.locator("[data-zoom]").nth(1).inner_text()
    page.keyboard.press("+")
    expect(page.locator("[data-zoom]").nth(1)).not_to_have_text(before)
    screenshot(page, "comparison")
    page.get_by_role("button", name="Open in the viewer").click()
    wait_for_findings(page)
    expect(page.get_by_text("Kept without identity: Patient 0001")).to_be_visible()
    assert len(canvas_content(page)) > 10_000
