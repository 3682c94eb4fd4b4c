"""Correcting outlines with the brush: the ratio follows, the machine's reading stays."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, expect

from tests.browser.conftest import drawn


def stroke(page: Page, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Drag over the canvas; places as shares of its width and height."""
    box = page.locator(".stage > canvas").bounding_box()
    assert box is not None
    places = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=6)
    page.mouse.up()


def ratio_drawn(page: Page) -> str:
    return page.locator("[data-drawn-ratio]").inner_text()


def test_the_ratio_follows_the_brush_and_the_way_back_is_exact(
    reading_page: Page, screenshot: Callable[[Page, str], None]
) -> None:
    page = reading_page
    drawn(page)
    panel = page.locator('[data-part="measurements"]')
    machine = re.search(r"0\.\d\d", panel.inner_text())
    assert machine is not None
    page.get_by_role("button", name="Correct", exact=True).click()
    before = ratio_drawn(page)
    assert machine[0] in before
    stroke(page, (0.70, 0.70), (0.78, 0.72))
    wider = ratio_drawn(page)
    assert float(wider.split()[-1]) > float(before.split()[-1]) + 0.03
    screenshot(page, "correcting")
    page.keyboard.press("Control+z")
    assert ratio_drawn(page) == before
    page.keyboard.press("Control+Shift+z")
    assert ratio_drawn(page) == wider
    page.keyboard.press("e")
    expect(page.get_by_role("button", name="Eraser")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    note = page.get_by_text(f"The machine's ratio was {machine[0]}")
    expect(note).to_be_visible()
    expect(panel).to_contain_text(wider.split()[-1])
    page.keyboard.press("d")
    page.get_by_role("button", name="Machine's").click()
    expect(note).to_have_count(0)
    expect(panel).to_contain_text(machine[0])


def test_leaving_with_escape_changes_nothing(reading_page: Page) -> None:
    page = reading_page
    drawn(page)
    page.get_by_role("button", name="Correct", exact=True).click()
    stroke(page, (0.70, 0.70), (0.78, 0.72))
    page.keyboard.press("Escape")
    expect(page.locator("[data-drawn-ratio]")).to_be_hidden()
    expect(page.get_by_text("Outlines; measurements follow them")).to_have_count(0)
