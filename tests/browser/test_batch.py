"""A batch in a real browser: results as they come, a table to save, and from there to the worklist."""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import drawn, running_app


@pytest.fixture
def own_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An app with records of its own."""
    monkeypatch.setenv("LUNGS_DATA", str(tmp_path / "data"))
    with (tmp_path / "app.log").open("wb") as output, running_app(output) as address:
        yield address


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
