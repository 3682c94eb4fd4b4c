"""Fine-tuning in a real browser: faults named, quick run, before and after, promotion, a reading, roll back."""

import csv
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from lung_models.records.database import Database
from lung_models.training import jobs
from lung_models.weights import WeightStore
from tests.browser.conftest import drawn, running_app, wait_for_findings
from tests.conftest import ROOT

FILMS, FEWER_FILMS = 60, 30


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """The shipped versions, to promote among."""
    shutil.copytree(ROOT / "weights", tmp_path / "weights")
    return tmp_path / "weights"


@pytest.fixture
def own_app(tmp_path: Path, weights: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An app with weights and records of its own."""
    monkeypatch.setenv("LUNGS_WEIGHTS", str(weights))
    monkeypatch.setenv("LUNGS_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("LUNGS_REFERENCE", raising=False)
    with (tmp_path / "app.log").open("wb") as output, running_app(output) as address:
        yield address
    for job in jobs.every(Database()):
        if job.pid is not None:
            psutil.Process(job.pid).kill()


@pytest.fixture
def archive(tmp_path: Path, shared_data: Path, leg_file: Path) -> Path:
    return faulty_archive(tmp_path, shared_data, leg_file, FILMS)


def faulty_archive(tmp_path: Path, shared_data: Path, leg_file: Path, films: int) -> Path:
    """Films of Wingspan with their measured hearts, and four planted faults."""
    folder = tmp_path / "ward"
    (folder / "images").mkdir(parents=True)
    with (shared_data / "classification" / "labels.csv").open() as table:
        rows = [row for row in csv.DictReader(table) if row["source"] == "wingspan" and row["cardiomegaly"]][:films]
    lines = ["file,cardiomegaly"]
    for row in rows:
        name = Path(row["file"]).name
        shutil.copy(shared_data / "classification" / row["file"], folder / "images" / name)
        lines.append(f"images/{name},{row['cardiomegaly']}")
    first = sorted((folder / "images").iterdir())[0]
    shutil.copy(first, folder / "images" / "zz-again.jpg")
    (folder / "images" / "notes.png").write_text("not a picture")
    shutil.copy(leg_file, folder / "images" / "leg.dcm")
    shutil.copy(first, folder / "images" / "strange.jpg")
    lines += ["images/zz-again.jpg,1", "images/notes.png,1", "images/leg.dcm,0", "images/strange.jpg,perhaps"]
    (folder / "labels.csv").write_text("\n".join(lines))
    return Path(shutil.make_archive(str(tmp_path / "ward"), "zip", folder))


def bring_in(page: Page, address: str, upload: Path) -> None:
    """Drop a ZIP or a directory and have it looked at."""
    page.goto(f"{address}/train")
    if upload.is_dir():
        page.get_by_text("Directory", exact=True).click()
        expect(page.get_by_text("Drop a directory")).to_be_visible()
    dropzone = page.get_by_test_id("stFileUploaderDropzoneInput")
    expect(dropzone).to_have_count(1)
    dropzone.set_input_files(str(upload))
    page.get_by_role("button", name="Look at the set").click()
    expect(page.get_by_text("files cannot be used")).to_be_visible()


def test_from_a_set_with_faults_to_a_promoted_version_and_back(
    page: Page, own_app: str, archive: Path, weights: Path, screenshot: Callable[[Page, str], None]
) -> None:
    bring_in(page, own_app, archive)
    expect(page.get_by_text("4 files cannot be used")).to_be_visible()
    drawn(page)
    freeze = page.get_by_role("button", name="Freeze the set")
    expect(freeze).to_be_disabled()
    page.get_by_text("Leave the 4 files above out").click()
    freeze.click()
    expect(page.get_by_text("Nothing is said of Pleural Effusion").first).to_be_visible()
    drawn(page)
    page.get_by_role("button", name="Train", exact=True).click()
    expect(page.get_by_text("from efficientnet-lite0-4: finished").first).to_be_visible()
    expect(page.get_by_text("Expected calibration error, Cardiomegaly").first).to_be_visible()
    expect(page.get_by_text(re.compile("Better:|Not shown to be better"))).to_be_visible()
    expect(page.get_by_test_id("stPlotlyChart")).to_have_count(2)  # ROC and reliability
    expect(page.get_by_text("Where old and new disagree most")).to_be_visible()
    drawn(page)
    promote = page.get_by_role("button", name="Promote", exact=True)
    expect(promote).to_be_disabled()
    page.get_by_role("textbox", name="Reason").fill("calibrated on our films")
    page.get_by_role("textbox", name="Reason").press("Tab")
    promote.click()
    expect(page.get_by_text("reads from the next radiograph on")).to_be_visible()
    version = str(WeightStore(weights).active("findings"))
    assert version.startswith("efficientnet-lite0-4-quick-")
    page.get_by_role("link", name="Read").first.click()
    wait_for_findings(page)
    expect(page.get_by_text(version).first).to_be_attached()
    page.get_by_role("link", name="Train").first.click()
    drawn(page)
    page.get_by_role("button", name="Open in the viewer").first.click()
    expect(page.get_by_text("of the set").first).to_be_visible()
    page.get_by_role("link", name="Train").first.click()
    drawn(page)
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("Rolled back:")).to_be_visible()
    assert WeightStore(weights).active("findings") == "efficientnet-lite0-4"


def test_a_job_goes_on_without_the_app_and_two_sessions_see_the_same_queue(
    chromium_page: Callable[[], Page],
    tmp_path: Path,
    weights: Path,
    shared_data: Path,
    leg_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LUNGS_WEIGHTS", str(weights))
    monkeypatch.setenv("LUNGS_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("LUNGS_REFERENCE", raising=False)
    database = Database()
    with (tmp_path / "app.log").open("wb") as output, running_app(output) as address:
        page = chromium_page()
        faulty_archive(tmp_path, shared_data, leg_file, FEWER_FILMS)
        bring_in(page, address, tmp_path / "ward")
        drawn(page)
        page.get_by_text("Leave the 4 files above out").click()
        page.get_by_role("button", name="Freeze the set").click()
        drawn(page)
        page.get_by_text("Full: the layers are trained too").click()
        page.get_by_role("spinbutton", name="At most so many passes").fill("100")
        page.get_by_role("spinbutton", name="At most so many passes").press("Tab")
        drawn(page)
        page.get_by_role("button", name="Train", exact=True).click()
        expect(page.get_by_text("batches of epoch").first).to_be_visible()
        other = chromium_page()
        other.goto(f"{address}/train")
        expect(other.get_by_text("batches of epoch").first).to_be_visible()
        drawn(other)
        other.get_by_role("button", name="Train", exact=True).click()
        expect(other.get_by_text("Waiting for its turn.")).to_be_visible()
        expect(page.get_by_text("Waiting for its turn.")).to_be_visible()
        for process in psutil.Process().children():
            if "streamlit" in " ".join(process.cmdline()):
                process.send_signal(signal.SIGKILL)
                process.wait()
    running = next(job for job in jobs.every(database) if job.number == 1)
    assert running.state == "running" and running.pid is not None and psutil.pid_exists(running.pid)
    with (tmp_path / "again.log").open("wb") as output, running_app(output) as address:
        page = chromium_page()
        page.goto(f"{address}/train")
        expect(page.get_by_text("batches of epoch").first).to_be_visible()
        page.get_by_role("button", name="Cancel", exact=True).first.click()
        expect(page.get_by_text("Job 1: findings, full, from efficientnet-lite0-4: cancelled")).to_be_visible()
        expect(page.get_by_text("Job 2: findings, quick, from efficientnet-lite0-4: finished")).to_be_visible()
