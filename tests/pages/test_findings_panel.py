from dataclasses import replace

import pytest

from lung_models.findings import KEYS
from lung_models.opened import without_score
from lung_models.preprocess import VIEWS
from lung_models.radiograph import Radiograph, Spacing
from lung_models.reading import Reading
from pages.components.findings_panel import panel_content
from tests.pages.conftest import read


def test_rows_come_in_the_fixed_order_and_one_is_primary(reading: Reading) -> None:
    rows = panel_content(reading, study="s")["rows"]
    assert [row["key"] for row in rows] == list(KEYS)
    assert [row["key"] for row in rows if row["primary"]] == ["pleural_effusion"]
    assert all(reading.models["findings"].version in row["tip"] for row in rows)


def test_heat_of_an_absent_finding_is_said_to_be_withheld(reading: Reading) -> None:
    rows = {row["key"]: row for row in panel_content(reading, study="s")["rows"]}
    assert rows["edema"]["heat"] == "Called absent: no heat map is shown."
    assert rows["pleural_effusion"]["heat"] == "Share of the heat: 71% in the lungs, 12% in the heart."


def test_a_map_that_did_no_better_than_a_blob_says_so(reading: Reading) -> None:
    def doubt(call: str, checked: bool | None, tested: bool = True) -> tuple[str, str]:
        one = replace(reading.finding("pleural_effusion"), call=call, heat_checked=checked)
        row = panel_content(replace(reading, findings=(one,), heat_tested=tested), study="s")["rows"][0]
        return row["doubt"], row["tip"]

    line, tip = doubt("present", False)
    assert "did no better than a blob in the middle of the picture" in line and tip.endswith(line)
    assert doubt("uncertain", False) == (line, tip)
    few, tip = doubt("present", None)
    assert "too few cases to test" in few and tip.endswith(few)
    for silent in (doubt("present", True), doubt("present", None, tested=False)):
        assert silent[0] == "" and "maps" not in silent[1]
    assert doubt("absent", False)[0] == "", "no map is shown, so that there is nothing to doubt"


def test_an_averaged_row_has_its_spread_in_the_figures_and_in_words(radiograph: Radiograph) -> None:
    content = panel_content(read(radiograph, averaged=True), study="s")
    row = next(row for row in content["rows"] if row["key"] == "pleural_effusion")
    assert row["spread"] == pytest.approx((0.355, 0.81))
    assert f"71.0% (35.5% to 81.0% over {VIEWS} views)" in row["tip"]
    assert {"Probabilities": f"mean of {VIEWS} views"}.items() <= {
        line["label"]: line["value"] for line in content["made"]
    }.items()


def test_a_single_reading_mentions_no_views(reading: Reading) -> None:
    content = panel_content(reading, study="s")
    assert all(row["spread"] is None and "views" not in row["tip"] for row in content["rows"])
    assert "Probabilities" not in {line["label"] for line in content["made"]}


def test_areas_are_in_square_centimetres_only_with_pixel_spacing(reading: Reading) -> None:
    def area(spacing: Spacing | None) -> str:
        changed = replace(reading, radiograph=replace(reading.radiograph, spacing=spacing))
        lines = {line["label"]: line["value"] for line in panel_content(changed, study="s")["measurements"]}
        return lines["Right lung area"]

    fraction = reading.anatomy.right_lung_fraction
    assert area(Spacing(5.0, 2.5, "PixelSpacing")).startswith(f"{fraction * 64 * 64 * 5.0 * 2.5 / 100:.0f} cm²")
    assert "cm" not in area(Spacing(5.0, 2.5, "ImagerPixelSpacing")) + area(None)


def test_every_figure_has_a_meaning(reading: Reading) -> None:
    content = panel_content(reading, study="s")
    assert all(line["tip"] for line in content["measurements"] + content["made"])


def test_a_refusal_has_no_score(radiograph: Radiograph) -> None:
    content = panel_content(without_score(radiograph, "no"), study="s")
    assert content["rows"] == content["measurements"] == content["flags"] == []
