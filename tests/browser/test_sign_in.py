"""Sign-in against a real identity provider: nothing is reachable without it, and roles hold."""

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from lung_models.records import audit
from lung_models.records.database import Database
from tests.browser.conftest import drawn, running_app, unfold, wait_for_findings
from tests.conftest import free_port
from tests.oidc_provider import CLIENT, SECRET, running_provider

pytestmark = pytest.mark.browser
ADDRESSES = ("", "read", "worklist", "batch", "train", "models")
SHELL = ("/static/", "/_stcore/", "/favicon", "/auth/", "/oauth2callback", "/manifest")
"""Addresses that hold nothing of anybody: the app's own files, its socket and the way to sign in."""


@pytest.fixture
def team_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A fresh app with sign-in: one admin by claim, one reader by list."""
    port = free_port()
    with running_provider({"ada@example.org": ["admin"]}) as issuer, (tmp_path / "app.log").open("wb") as output:
        (tmp_path / "secrets.toml").write_text(
            f"[auth]\nredirect_uri = 'http://127.0.0.1:{port}/oauth2callback'\ncookie_secret = '{'c' * 32}'\n"
            f"client_id = '{CLIENT}'\nclient_secret = '{SECRET}'\n"
            f"server_metadata_url = '{issuer}/.well-known/openid-configuration'\n"
            "[roles]\nreader = ['Eve@example.org']\n"
        )
        monkeypatch.setenv("STREAMLIT_SECRETS_FILES", str(tmp_path / "secrets.toml"))
        monkeypatch.setenv("LUNGS_DATA", str(tmp_path / "data"))
        with running_app(output, port) as address:
            yield address


def sign_in(page: Page, address: str, email: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Address").fill(email)
    page.get_by_role("button", name="Go on").click()


def test_secrets_that_cannot_be_read_let_nobody_in(page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "secrets.toml").write_text("[auth")
    monkeypatch.setenv("STREAMLIT_SECRETS_FILES", str(tmp_path / "secrets.toml"))
    monkeypatch.setenv("LUNGS_DATA", str(tmp_path / "data"))
    with (tmp_path / "app.log").open("wb") as output, running_app(output) as address:
        page.goto(address)
        expect(page.get_by_text("nobody can sign in")).to_be_visible()
        expect(page.get_by_test_id("stFileUploaderDropzone")).to_have_count(0)


@pytest.mark.parametrize("first", ADDRESSES)
def test_on_a_fresh_server_no_address_shows_anything_without_signing_in(page: Page, team_app: str, first: str) -> None:
    for path in (first, *(one for one in ADDRESSES if one != first)) if first == "train" else (first,):
        page.goto(f"{team_app}/{path}")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()
        drawn(page)
        for kind in ("stFileUploaderDropzone", "stDataFrame", "stImage", "stSidebar"):
            expect(page.get_by_test_id(kind)).to_have_count(0)
        expect(page.locator(".viewer, .row")).to_have_count(0)


def test_roles_hold_sessions_are_apart_and_files_have_no_address(
    chromium_page: Callable[[], Page], team_app: str, chest_file: Path
) -> None:
    ada, eve, stranger = chromium_page(), chromium_page(), chromium_page()
    asked: list[str] = []
    ada.on("request", lambda request: asked.append(request.url))
    sign_in(ada, team_app, "ada@example.org")
    wait_for_findings(ada)
    expect(ada.get_by_text("ada@example.org, admin")).to_be_visible()
    ada.get_by_test_id("stFileUploaderDropzoneInput").set_input_files(
        [{"name": "secret-upload.dcm", "mimeType": "application/dicom", "buffer": chest_file.read_bytes()}]
    )
    expect(ada.locator(".corner.top-left")).to_contain_text("secret-upload.dcm")
    wait_for_findings(ada)
    drawn(ada)
    unfold(ada, "Export")
    with ada.expect_download() as download:
        ada.get_by_role("button", name="PDF report").click()
    blob = download.value.url

    sign_in(eve, team_app, "eve@example.org")
    wait_for_findings(eve)
    expect(eve.get_by_text("eve@example.org, reader")).to_be_visible()
    expect(eve.get_by_text("secret-upload")).to_have_count(0)
    fetched = eve.evaluate("address => fetch(address).then(() => 'reached', () => 'refused')", blob)
    assert fetched == "refused", "a download belongs to the browser that made it"
    for address in {url for url in asked if url.startswith(team_app)}:
        path = urlsplit(address).path
        assert path.strip("/") in ADDRESSES or path.startswith(SHELL), f"{address} holds something of a session"
    assert not any(urlsplit(url).path.startswith("/media") for url in asked)
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{team_app}/media/{'0' * 56}.png")

    eve.goto(f"{team_app}/train")
    expect(eve.get_by_text("eve@example.org, reader")).to_be_visible()
    eve.goto(f"{team_app}/batch")
    expect(eve.get_by_role("button", name="Read", exact=True)).to_be_visible()
    drawn(eve)
    expect(eve.get_by_text("on this machine")).to_have_count(0)
    eve.goto(f"{team_app}/models")
    drawn(eve)
    eve.get_by_role("button", name="Promote another findings version").click()
    expect(eve.get_by_text("Only an admin may promote a version.").first).to_be_visible()
    reason = eve.get_by_role("textbox", name="Reason").first
    reason.fill("I would like to")
    reason.press("Enter")
    drawn(eve)
    expect(eve.get_by_role("button", name="Promote", exact=True).first).to_be_disabled()

    sign_in(stranger, team_app, "mallory@example.org")
    expect(stranger.get_by_text("You are signed in and have no role here")).to_be_visible()
    expect(stranger.get_by_test_id("stFileUploaderDropzone")).to_have_count(0)

    ada.get_by_role("button", name="Sign out").click()
    expect(ada.get_by_role("button", name="Sign in")).to_be_visible()
    ada.goto(f"{team_app}/worklist")
    expect(ada.get_by_role("button", name="Sign in")).to_be_visible()
    acts = [(row["by"], row["action"], row["subject"]) for row in audit.export(Database())]
    assert ("ada@example.org", "sign in", "admin") in acts and ("eve@example.org", "sign in", "reader") in acts
    assert not any(by == "mallory@example.org" for by, _, _ in acts)
