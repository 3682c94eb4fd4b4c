"""A day with kept studies in a real browser: keep, correct, judge, compare with a prior, export."""

import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect
from pydicom import dcmread
from pypdf import PdfReader

from lung_models.decode import decode
from lung_models.reader import Reader
from lung_models.records import verdicts
from lung_models.records.database import Database
from lung_models.records.keeping import keep
from lung_models.records.verdicts import newest_correction
from tests.browser.conftest import canvas_content, drawn, running_app, wait_for_findings
from tests.browser.test_correct import stroke


@pytest.fixture
def own_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An app with records of its own."""
    monkeypatch.setenv("LUNGS_DATA", str(tmp_path / "data"))
    with (tmp_path / "app.log").open("wb") as output, running_app(output) as address:
        yield address


def keep_prior(chest_file: Path, reader: Reader) -> None:
    """An earlier study of the sample's patient, a little narrower."""
    prior = dcmread(chest_file)
    pixels = prior.pixel_array[:, :1800].copy()
    prior.Columns, prior.PixelData, prior.StudyDate = pixels.shape[1], pixels.tobytes(), "20030101"
    prior.SOPInstanceUID = prior.file_meta.MediaStorageSOPInstanceUID = "1.2.3"
    stream = BytesIO()
    prior.save_as(stream)
    keep(Database(), stream.getvalue(), reader.read(decode(stream.getvalue(), "x")), "one")


def choose(page: Page, rows: list[int]) -> None:
    """Tick rows of the worklist's table, which is a canvas."""
    box = page.get_by_test_id("stDataFrame").locator("canvas").first.bounding_box()
    assert box is not None
    for row in rows:
        page.mouse.click(box["x"] + 15, box["y"] + 36 + 56 * row + 28)
        drawn(page)


def test_keep_correct_judge_compare_export(
    page: Page, own_app: str, chest_file: Path, reader: Reader, screenshot: Callable[[Page, str], None]
) -> None:
    keep_prior(chest_file, reader)
    page.goto(own_app)
    wait_for_findings(page)
    drawn(page)
    page.get_by_role("button", name="Correct", exact=True).click()
    stroke(page, (0.70, 0.70), (0.78, 0.72))
    page.keyboard.press("Enter")
    expect(page.get_by_text("Outlines corrected by hand")).to_be_visible()
    page.get_by_text("Keep this study").click()
    page.get_by_role("button", name="Keep", exact=True).click()
    expect(page.get_by_text("Kept without identity: Patient 0001, reading 2")).to_be_visible()
    drawn(page)
    page.get_by_text("Verdict", exact=True).click()
    page.get_by_role("button", name="Agree with every call").click()
    drawn(page)
    page.get_by_role("textbox", name="Note").fill("masses")
    page.get_by_role("button", name="Save verdict").click()
    expect(page.get_by_text("no disagreement")).to_be_visible()
    screenshot(page, "verdict")
    (verdict,) = verdicts.of_reading(Database(), 2)
    assert verdict.note == "masses" and verdict.corrected_ratio is not None
    assert newest_correction(Database(), 2) is not None

    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="PDF report").click()
    text = PdfReader(download.value.path()).pages[0].extract_text()
    assert "Patient 0001" in text and "corrected by hand" in text and "masses" in text

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


def test_a_batch_shows_results_and_goes_to_the_worklist(
    page: Page, own_app: str, chest_file: Path, leg_file: Path, tmp_path: Path
) -> None:
    with zipfile.ZipFile(tmp_path / "some.zip", "w") as archive:
        archive.write(chest_file, "a.dcm")
        archive.writestr("b.png", "no picture")
        archive.write(leg_file, "c.dcm")
    page.goto(f"{own_app}/batch")
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(str(tmp_path / "some.zip"))
    drawn(page)
    page.get_by_role("button", name="Read", exact=True).click()
    expect(page.get_by_text("Finished: 3 of 3, 2 without a score")).to_be_visible()
    drawn(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Parquet").click()
    assert pd.read_parquet(download.value.path())["accepted"].tolist() == [True, False, False]
    drawn(page)
    send = page.get_by_role("button", name="Send to worklist")
    send.click()
    expect(send).to_have_count(0)
    expect(page.get_by_role("button", name="New batch")).to_be_visible()
    expect(page.get_by_text("Finished: 3 of 3, 2 without a score")).to_be_visible()
    drawn(page)
    page.get_by_role("link", name="Worklist").first.click()
    expect(page.get_by_text("2 studies")).to_be_visible()
