"""What holds for the whole app: nothing leaves the machine, every address shows the notice, no traceback."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlparse

import pytest
from playwright.sync_api import Page, Request, WebSocket, expect

from pages.components.notice import NOTICE
from tests.browser.conftest import running_app, wait_for_findings
from tests.conftest import ROOT

pytestmark = pytest.mark.browser
PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py") if path.stem != "__init__")
INSIDE = ("data", "blob", "about")
"""Kinds of address that are no request to anyone."""


def test_no_request_leaves_the_machine(page: Page, app_address: str, chest_file: Path) -> None:
    seen: list[str] = []

    def on_request(request: Request) -> None:
        seen.append(request.url)

    def on_websocket(websocket: WebSocket) -> None:
        seen.append(websocket.url)

    page.context.on("request", on_request)
    page.on("websocket", on_websocket)
    page.goto(app_address)
    wait_for_findings(page)
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(str(chest_file))
    expect(page.locator(".corner.top-left")).to_contain_text(chest_file.name)
    wait_for_findings(page)
    page.locator(".row").first.click()
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    own = urlparse(app_address).netloc
    addresses = [urlparse(url) for url in seen]
    assert any(address.scheme == "ws" for address in addresses)
    assert [address.geturl() for address in addresses if address.scheme not in INSIDE and address.netloc != own] == []


@pytest.mark.parametrize("name", PAGES)
def test_every_address_on_a_fresh_server_goes_through_the_app(name: str, page: Page, tmp_path: Path) -> None:
    log = tmp_path / "output.txt"
    with log.open("wb") as output, running_app(output) as address:
        for _ in range(2):  # the first request to a server, and one to a server that knows its pages
            page.goto(f"{address}/{name}")
            expect(page.get_by_role("note")).to_have_text(NOTICE)
            expect(page.get_by_role("link", name=name.capitalize())).to_be_visible()
            expect(page.get_by_test_id("stException")).to_have_count(0)
            expect(page.get_by_text("Page not found")).to_have_count(0)
    assert "Traceback" not in log.read_text()


def test_models_page_shows_the_active_cards(
    page: Page, app_address: str, screenshot: Callable[[Page, str], None]
) -> None:
    page.goto(f"{app_address}/models")
    expect(page.get_by_text("(active)")).to_have_count(2)
    expect(page.get_by_text("Intended use.").first).to_be_visible()
    for tab, words in (("Where it looked", "insertion"), ("Cardiothoracic ratio", "Bland-Altman")):
        page.get_by_role("tab", name=tab).first.click()
        expect(page.get_by_role("tabpanel").get_by_text(words).locator("visible=true").first).to_be_visible()
    page.get_by_role("tab", name="How it was made").first.click()
    expect(page.get_by_text("sha256 of the weights").first).to_be_visible()
    page.get_by_role("tab", name="In short").first.click()
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0)
    screenshot(page, "models")


def test_the_app_logged_no_traceback(page: Page, app_address: str, app_log: Path) -> None:
    page.goto(app_address)
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        {"name": "broken.dcm", "mimeType": "application/dicom", "buffer": b"\0" * 128 + b"DICM" + b"\xff" * 64}
    )
    expect(page.get_by_test_id("stAlert")).to_be_visible()
    assert "Traceback" not in app_log.read_text()
