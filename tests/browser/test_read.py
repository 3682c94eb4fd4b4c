"""What a radiologist does, in a real browser: drop a film, choose a finding, look closer, measure."""

import re
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from lung_models.findings import FINDINGS
from tests.browser.conftest import canvas_content, settle, wait_for_findings, zoom_shown

pytestmark = pytest.mark.browser
Screenshot = Callable[[Page, str], None]


def upload(page: Page, *files: Path) -> None:
    page.get_by_test_id("stFileUploaderDropzoneInput").set_input_files([str(file) for file in files])
    expect(page.locator(".corner.top-left")).to_contain_text(files[0].name)


def row_with_heat(page: Page) -> int:
    """Index of a finding that is not called absent; the most likely one if it is such."""
    rows = [row.inner_text().split() for row in page.locator(".head").all()]
    shown = [index for index, words in enumerate(rows) if words[-1] != "absent"]
    return max(shown, key=lambda index: "likely" in rows[index])


def test_upload_choose_a_finding_zoom_and_fade_the_heat(
    reading_page: Page, chest_file: Path, screenshot: Screenshot
) -> None:
    page = reading_page
    upload(page, chest_file)
    wait_for_findings(page)
    expect(page.locator(".row")).to_have_count(6)
    expect(page.locator(".name")).to_have_text([finding.name for finding in FINDINGS])
    expect(page.locator(".primary")).to_have_count(1)
    without_heat = canvas_content(page)

    page.locator(".row").nth(row_with_heat(page)).click()
    expect(page.locator("[data-colour-bar]")).to_be_visible()
    with_heat = canvas_content(page)
    assert with_heat != without_heat
    page.mouse.move(5, 5)
    screenshot(page, "read-heat-map")

    fitted = zoom_shown(page)
    box = page.locator(".stage > canvas").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] / 3, box["y"] + box["height"] / 3)
    page.mouse.wheel(0, -600)
    zoomed = zoom_shown(page)
    assert zoomed != fitted
    before = canvas_content(page)
    page.locator("[data-layer=heat] input").fill("20")
    assert canvas_content(page) != before  # the heat fades
    assert zoom_shown(page) == zoomed

    page.locator(".row").nth(row_with_heat(page)).click()  # choosing it again hides it
    expect(page.locator("[data-colour-bar]")).to_be_hidden()
    assert zoom_shown(page) == zoomed


def test_averaging_shows_how_far_a_probability_ranges(reading_page: Page, screenshot: Screenshot) -> None:
    page = reading_page
    expect(page.locator(".meter .value")).to_have_count(6)
    expect(page.locator(".meter .spread")).to_have_count(0)
    switch = page.get_by_role("switch", name="Average over small changes")
    expect(switch).not_to_be_checked()
    switch.focus()
    page.keyboard.press("Space")  # without a mouse
    expect(page.locator(".meter .spread")).to_have_count(6)
    for row, line in zip(page.locator(".row").all(), page.locator(".meter .spread").all(), strict=True):
        expect(row).to_have_attribute("aria-label", re.compile(r": \d+ %, \d+ to \d+ % over its views, "))
        expect(row).to_have_attribute("aria-description", re.compile(r"% to .*% over 10 views"))
        drawn, outer = line.bounding_box(), row.bounding_box()
        assert drawn is not None and outer is not None and drawn["width"] >= 3
        assert drawn["y"] + drawn["height"] <= outer["y"] + outer["height"], "the line lies inside its row"
    page.locator(".row").nth(row_with_heat(page)).click()
    page.mouse.move(5, 5)
    screenshot(page, "read-averaged")

    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    page.get_by_role("link", name="Read").click()
    expect(page.locator(".meter .spread")).to_have_count(6)
    expect(switch).to_be_checked()
    switch.focus()
    page.keyboard.press("Space")
    expect(page.locator(".meter .spread")).to_have_count(0)
    expect(page.locator(".row")).to_have_count(6)


def test_zoom_and_window_survive_a_rerun_and_another_page(reading_page: Page) -> None:
    page = reading_page
    canvas = page.locator(".stage > canvas")
    canvas.press("+")
    canvas.press("i")
    zoomed, inverted = zoom_shown(page), canvas_content(page)
    page.get_by_role("button", name="Open sample chest radiograph").click()  # a rerun that changes nothing
    page.get_by_role("link", name="Models").click()
    expect(page.get_by_role("heading", name="Models")).to_be_visible()
    page.get_by_role("link", name="Read").click()
    wait_for_findings(page)
    assert zoom_shown(page) == zoomed
    assert canvas_content(page) == inverted
    page.set_viewport_size({"width": 1200, "height": 800})
    assert zoom_shown(page) == zoomed


def test_the_leg_is_refused_with_its_picture_and_without_a_score(
    reading_page: Page, leg_file: Path, screenshot: Screenshot
) -> None:
    page = reading_page
    upload(page, leg_file)
    expect(page.get_by_test_id("stAlert")).to_contain_text("Not read.")
    expect(page.locator(".row")).to_have_count(0)
    expect(page.locator(".stage > canvas")).to_be_visible()
    expect(page.locator("[data-layer=heart] select")).to_be_disabled()
    page.mouse.move(5, 5)
    screenshot(page, "read-refusal")


def test_several_files_are_stepped_through_and_removed(reading_page: Page, chest_file: Path, leg_file: Path) -> None:
    page = reading_page
    upload(page, chest_file, leg_file)
    expect(page.get_by_test_id("stSidebar")).to_contain_text("2 of 3")
    page.keyboard.press("PageDown")
    expect(page.locator(".corner.top-left")).to_contain_text(leg_file.name)
    page.keyboard.press("PageUp")
    expect(page.locator(".corner.top-left")).to_contain_text(chest_file.name)  # else Streamlit merges the presses
    page.keyboard.press("PageUp")
    expect(page.locator(".corner.top-left")).to_contain_text("Sample")
    page.get_by_role("button", name=f"Remove {leg_file.name}").click()
    expect(page.get_by_test_id("stSidebar")).to_contain_text("1 of 2")


def test_a_file_may_be_dropped_on_the_picture(reading_page: Page) -> None:
    page = reading_page
    page.locator(".stage > canvas").evaluate(DROP)
    expect(page.get_by_test_id("stAlert")).to_contain_text("not an image")


DROP = """canvas => {
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File(["only text"], "notes.txt"));
  const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true, composed: true });
  if (canvas.dispatchEvent(event)) throw new Error("the browser would have left the page");
}"""


def test_keyboard_alone(reading_page: Page, screenshot: Screenshot) -> None:
    page = reading_page
    expect(page.locator(".stage > canvas")).to_be_focused()  # keys work without a click
    for key in ("+", "ArrowLeft", "Shift+ArrowUp", "v", "i", "r", "l", "h", "t", "a", "f", "x", "o", "o"):
        before = canvas_content(page)
        page.keyboard.press(key)
        assert canvas_content(page) != before or key == "x", f"{key} changed nothing"
    number = row_with_heat(page) + 1
    page.keyboard.press(str(number))
    expect(page.locator(".row").nth(number - 1)).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("0")
    expect(page.locator(".row[aria-pressed=true]")).to_have_count(0)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    screenshot(page, "read-shortcuts")
    page.keyboard.press("Escape")
    expect(page.locator(".stage > canvas")).to_be_focused()


def test_every_control_is_reached_by_tab(reading_page: Page) -> None:
    page = reading_page
    reached: set[str] = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate(FOCUSED))
    for control in (
        "layer heart select",
        "layer heat input",
        "layer ratio input",
        "row cardiomegaly",
        "row no_finding",
    ):
        assert control in reached, control
    page.locator(".row").first.focus()
    fitted = zoom_shown(page)
    page.keyboard.press("+")  # the viewer's keys work here too
    assert zoom_shown(page) != fitted
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".row").nth(1)).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[role=tooltip]")).to_be_visible()  # what the figure means, for keyboard readers too


FOCUSED = """() => {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  if (!element) return "";
  if (element.dataset.finding) return `row ${element.dataset.finding}`;
  const layer = element.closest("[data-layer]");
  return layer ? `layer ${layer.dataset.layer} ${element.tagName.toLowerCase()}` : element.textContent;
}"""


def test_a_picture_much_smaller_than_the_screen_is_shown_at_actual_size(reading_page: Page, tmp_path: Path) -> None:
    page = reading_page
    small = tmp_path / "small.png"
    assert cv2.imwrite(str(small), np.arange(80 * 80, dtype=np.uint16).reshape(80, 80) * 10)
    upload(page, small)
    expect(page.get_by_test_id("stAlert")).to_contain_text("Not read.")
    assert float(re.findall(r"([\d.]+) %", zoom_shown(page))[0]) > 400
    page.locator(".stage > canvas").press("a")
    assert zoom_shown(page).startswith("Zoom 100 %")


def test_window_is_set_by_dragging_with_the_right_button(reading_page: Page) -> None:
    page = reading_page
    box = page.locator(".stage > canvas").bounding_box()
    assert box is not None
    before = canvas_content(page)
    page.mouse.move(box["x"] + 300, box["y"] + 300)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 200, box["y"] + 350, steps=4)
    page.mouse.up(button="right")
    assert canvas_content(page) != before
    assert page.locator("[data-window=width]").input_value() == "80"
    assert page.locator("[data-window=centre]").input_value() == "60"
    assert page.locator("[data-preset]").input_value() == "own"


def test_a_length_says_that_spacing_is_unknown(reading_page: Page) -> None:
    page = reading_page
    page.evaluate(SPY_ON_TEXT)
    box = page.locator(".stage > canvas").bounding_box()
    assert box is not None
    page.get_by_role("button", name="Measure").click()
    page.mouse.move(box["x"] + 300, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] + 400, box["y"] + 300, steps=3)
    page.mouse.up()
    settle(page)
    zoom = float(re.findall(r"([\d.]+) %", zoom_shown(page))[0]) / 100
    lengths = [text for text in page.evaluate("globalThis.drawnTexts") if "spacing unknown" in text]
    assert abs(float(lengths[-1].split(" px")[0]) - 100 / zoom) < 0.05 * 100 / zoom
    assert {"R", "L"} <= set(page.evaluate("globalThis.drawnTexts"))


SPY_ON_TEXT = """() => {
  globalThis.drawnTexts = [];
  const draw = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
    globalThis.drawnTexts.push(text);
    return draw.call(this, text, ...place);
  };
}"""


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1920, 1080), (1024, 768)])
def test_nothing_is_cut_off_and_the_picture_is_the_largest(
    reading_page: Page, width: int, height: int, screenshot: Screenshot
) -> None:
    page = reading_page
    page.set_viewport_size({"width": width, "height": height})
    settle(page)
    boxes = {
        part: page.locator(part).first.bounding_box() for part in (".stage", ".layers", ".panel", "[data-action=help]")
    }
    for part, box in boxes.items():
        assert box is not None, part
        assert box["x"] >= 0 and box["x"] + box["width"] <= width, f"{part} is cut off sideways"
        assert box["y"] + box["height"] <= height or part == ".panel", f"{part} is cut off below"
    stage, panel = boxes[".stage"], boxes[".panel"]
    assert stage is not None and panel is not None
    assert stage["width"] * stage["height"] > panel["width"] * panel["height"]
    assert stage["height"] >= 0.6 * height
    page.mouse.move(5, 5)
    if width == 1920:
        screenshot(page, "read-large-screen")
