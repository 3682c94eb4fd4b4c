"""A study from a real PACS in a real browser: found, opened, read, kept, stored back and found there."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from pydicom import Dataset, dcmread

from lung_models.pacs.dicomweb import Pacs
from lung_models.pacs.settings import Endpoint
from tests.browser.conftest import drawn, running_app, wait_for_findings
from tests.conftest import free_port
from tests.orthanc import PASSWORD, USER, running_orthanc

pytestmark = pytest.mark.browser


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def own_app(tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An app whose settings name the PACS."""
    (tmp_path / "settings.toml").write_text(
        f"[pacs.ward]\nurl = 'http://127.0.0.1:{port}/dicom-web'\nusername = '{USER}'\npassword = '{PASSWORD}'\n"
    )
    monkeypatch.setenv("LUNGS_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("LUNGS_SETTINGS", str(tmp_path / "settings.toml"))
    with (tmp_path / "app.log").open("wb") as output, running_app(output) as address:
        yield address


def modalities(pacs: Pacs, study_uid: str) -> list[str]:
    found = pacs._client.search_for_instances(study_uid, fields=["Modality"])
    return sorted(str(Dataset.from_json(one).Modality) for one in found)


def test_query_open_keep_store_back(
    page: Page, own_app: str, port: int, chest_file: Path, tmp_path: Path, screenshot: Callable[[Page, str], None]
) -> None:
    original = dcmread(chest_file)
    pacs = Pacs(Endpoint("ward", f"http://127.0.0.1:{port}/dicom-web", USER, PASSWORD))
    page.goto(own_app)
    wait_for_findings(page)
    drawn(page)
    page.get_by_text("From the PACS").click()
    page.get_by_role("textbox", name="Patient ID").fill(str(original.PatientID))
    page.get_by_role("button", name="Query").click()
    expect(page.get_by_text("ward cannot be reached")).to_be_visible()  # it is not started yet
    with running_orthanc(tmp_path / "orthanc", port):
        pacs.store([original])
        drawn(page)
        page.get_by_role("button", name="Query").click()
        expect(page.get_by_text("1 found")).to_be_visible()
        drawn(page)
        page.get_by_role("button", name="2004-08-26 CR 9RG1").click()
        expect(page.locator(".corner.top-left")).to_contain_text("2004-08-26 1")
        wait_for_findings(page)
        drawn(page)
        page.get_by_text("Keep this study").click()
        page.get_by_role("button", name="Keep", exact=True).click()
        expect(page.get_by_text("Kept without identity")).to_be_visible()
        drawn(page)
        page.get_by_role("button", name="Store results in ward").click()
        expect(page.get_by_text("3 objects stored in ward")).to_be_visible()
        screenshot(page, "pacs")
        assert modalities(pacs, str(original.StudyInstanceUID)) == ["CR", "OT", "SEG", "SR"]
    drawn(page)
    page.get_by_role("button", name="Store results in ward").click()
    expect(page.get_by_text("Not stored; the study is still there. ward cannot be reached")).to_be_visible()
    expect(page.locator(".row")).to_have_count(6)
