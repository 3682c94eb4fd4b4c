"""The real app, on a free port of the loopback, in a real Chromium."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from lung_models.findings import KEYS
from tests.conftest import ROOT, free_port, missing

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--headless",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
START_SECONDS = 120
"""How long the app may take to answer on a machine that is busy with other things."""
STOP_SECONDS = 120
"""How long it may take to stop on such a machine."""
WAIT_MILLISECONDS = 120_000
"""How long the page may take to show what a test waits for; only a bound, nothing sleeps."""
SCREENSHOTS = ROOT / "docs" / "screenshots"
TAIL = 4000
"""Characters of what an app printed last that a failed test shows."""
_outputs: list[Path] = []
"""What the apps that run now print to."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failed test what the apps printed: the page itself hides every traceback."""
    report = yield
    if report.failed:
        for output in _outputs:
            report.sections.append(("printed by the app", output.read_text(errors="replace")[-TAIL:]))
    return report


def is_healthy(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@contextmanager
def running_app(output: IO[bytes], port: int | None = None) -> Iterator[str]:
    """Start the app as a user would, on a port or any free one; gives its address."""
    port = port or free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env={**os.environ})
    _outputs.append(Path(output.name))
    try:
        deadline = time.monotonic() + START_SECONDS
        while not is_healthy(address):
            assert process.poll() is None, "the app ended at start"
            assert time.monotonic() < deadline, f"the app did not answer within {START_SECONDS} s"
        yield address
    finally:
        _outputs.remove(Path(output.name))
        process.terminate()
        process.wait(STOP_SECONDS)


@pytest.fixture(scope="session")
def app_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the shared app prints."""
    return tmp_path_factory.mktemp("app") / "output.txt"


@pytest.fixture(scope="session")
def app_address(app_log: Path) -> Iterator[str]:
    """One app for all tests that need no fresh one."""
    with app_log.open("wb") as output, running_app(output) as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        missing("Chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """An empty page the size of a common screen."""
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(WAIT_MILLISECONDS)
    expect.set_options(timeout=WAIT_MILLISECONDS)
    yield context.new_page()
    context.close()


@pytest.fixture
def chromium_page(chromium: Browser) -> Iterator[Callable[[], Page]]:
    """Makes pages that share nothing: several people at their own screens."""
    contexts = []

    def make() -> Page:
        context = chromium.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(WAIT_MILLISECONDS)
        expect.set_options(timeout=WAIT_MILLISECONDS)
        contexts.append(context)
        return context.new_page()

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def reading_page(page: Page, app_address: str) -> Page:
    """The app with the sample read."""
    page.goto(app_address)
    wait_for_findings(page)
    return page


def wait_for_findings(page: Page) -> None:
    """Wait until no study waits to be read, six findings are on the page and the spinner of a running read is gone."""
    expect(page.get_by_test_id("stSidebar")).not_to_contain_text("Waiting")  # else the findings are those before
    page.locator(".row").nth(len(KEYS) - 1).wait_for()
    page.get_by_test_id("stSpinner").wait_for(state="detached")


def drawn(page: Page) -> None:
    """Wait until the page is drawn to its end: what the run before left is taken away only then, and things move up."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def unfold(page: Page, name: str) -> None:
    """Open a part that is folded, and wait until it has stopped moving: a click into a moving one may be lost."""
    fold = page.get_by_test_id("stExpander").filter(has=page.locator("summary", has_text=name)).first
    fold.locator("summary").click()
    expect(fold.get_by_test_id("stExpanderDetails")).not_to_have_attribute("inert", "")
    settle(page)
    fold.evaluate("fold => Promise.allSettled(fold.getAnimations({ subtree: true }).map(one => one.finished))")


def canvas_content(page: Page) -> str:
    """The viewer's canvas as a PNG in base64: two equal ones show the same picture to the last pixel."""
    settle(page)
    content = page.locator(".stage > canvas").evaluate("canvas => canvas.toDataURL()")
    return str(content)


def settle(page: Page) -> None:
    """Let the frames that are asked for be drawn."""
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def zoom_shown(page: Page) -> str:
    settle(page)
    return page.locator("[data-zoom]").inner_text()


@pytest.fixture
def screenshot() -> Callable[[Page, str], None]:
    """Keeps a picture of the page in docs/ when LUNGS_SCREENSHOTS=1. Only ever of the samples of pydicom-data."""

    def save(page: Page, name: str) -> None:
        if os.environ.get("LUNGS_SCREENSHOTS") == "1":
            settle(page)
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            page.screenshot(path=SCREENSHOTS / f"{name}.png")

    return save
