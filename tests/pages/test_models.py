import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from lung_models.evaluate.heat import MEASURES
from lung_models.findings import BY_KEY, KEYS
from lung_models.weights import NETWORKS, Card, WeightStore
from pages.components.notice import NOTICE
from tests.conftest import ROOT, missing

FINDING = {"slope": 1.1, "geometry": [0.5, -0.25], "intercept": -0.2, "threshold": 0.31, "low": 0.25, "high": 0.4}
LEAD = {"value": 0.123, "low": 0.045, "high": 0.234}
LOOKED: list[dict[str, Any]] = [
    {
        **dict.fromkeys(MEASURES, LEAD),
        **{"finding": key, "n": 40 + number, "patients": 30, "region": "the lungs and the heart"},
        **{"better_than_blob": blob, "better_than_random": random, "pointing": None},
    }
    for number, (key, blob, random) in enumerate(
        [(KEYS[0], True, True), (KEYS[1], False, True), (KEYS[2], True, False), (KEYS[3], None, None)]
    )
]
CARD: dict[str, Any] = {
    "network": "findings",
    "architecture": "FindingsNet",
    "created": "2026-01-02",
    "sha256": "ab" * 32,
    "input_size": 256,
    "summary": "Six findings.",
    "intended_use": "Research.",
    "limits": ["Adults only.", "Frontal films only."],
    "training_data": [
        {"name": "A set", "images": 100, "terms": "CC BY 4.0", "citation": "Someone 2020", "use": "head alone"}
    ],
    "recipe": {"name": "base", "seed": 7, "stages": [{"size": 128}]},
    "git_commit": "abc",
    "metrics": [
        {"name": "AUROC", "group": "val", "value": 0.812, "low": 0.79, "high": 0.83, "n": 321, "protocol": "bootstrap"},
        {"name": "AUROC", "group": "site B", "value": 0.7, "low": None, "high": None, "n": 5},
    ],
    "calibration": {
        "findings": dict.fromkeys(KEYS, FINDING),
        "rule": "sensitivity 0.90",
        "geometry_mean": [0.4, 0.1],
        "geometry_scale": [0.05, 0.02],
    },
    "geometry": {"quantities": ["heart size", "lung size"], "organs_version": "organs-9"},
    "gate": {"distance_limit": 2.375},
    "head_fitted_on": {"images": 382, "statement": "Fitted on all of val."},
    "heat_scale": 3.0,
    "terms": "Not for sale.",
    "where_it_looked": {"protocol": "No boxes.", "radiographs": 321, "refused": 17, "findings": LOOKED},
}
Show = Callable[[Path], AppTest]


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Show:
    """Draws the page of the versions below a folder."""

    def run(root: Path) -> AppTest:
        monkeypatch.setattr("lung_models.weights.WeightStore", lambda: WeightStore(root))
        script = "from pages.components.notice import notice\nfrom pages.models import page\nnotice()\npage()"
        return AppTest.from_string(script).run(timeout=60)

    return run


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two versions of findings and none of organs."""
    write(tmp_path, "one", json.dumps(CARD))
    write(tmp_path, "two", json.dumps({**CARD, "created": "2026-01-03"}))
    (tmp_path / "active.json").write_text('{"findings": "one"}')
    return tmp_path


def write(root: Path, version: str, card: str) -> None:
    folder = root / "findings" / version
    folder.mkdir(parents=True)
    (folder / "card.json").write_text(card)


def all_text(page: AppTest) -> str:
    """Everything to be read on the page, without the backslashes that keep Markdown from it."""
    parts = [one.value for kind in (page.markdown, page.code, page.subheader, page.caption) for one in kind]
    parts += [one.label for one in page.expander]
    for table in page.table:
        parts += [*map(str, table.value.columns), *(str(cell) for row in table.value.to_numpy() for cell in row)]
    return " ".join(" ".join(parts).replace("\\", "").split())


def test_every_version_is_shown_and_the_active_one_is_marked_and_open(show: Show, root: Path) -> None:
    page = show(root)
    assert not page.exception
    cards = [(one.label, one.proto.expanded) for one in page.expander if not one.label.startswith("Readers")]
    assert cards == [("one **(active)**", True), ("two", False)]
    assert "no version on disk" in page.warning[0].value
    assert NOTICE in page.get("html")[0].proto.body


def test_figures_come_with_interval_and_number_of_cases(show: Show, root: Path) -> None:
    tables = [table.value for table in show(root).expander[0].table]
    figures = next(table for table in tables if "95 % interval" in table)
    assert list(figures["95 % interval"]) == ["0\\.790 to 0\\.830", "not given"]
    assert list(figures["n"]) == ["321", "5"]


def test_what_a_reader_must_know_comes_first(show: Show, root: Path) -> None:
    tabs = show(root).expander[0].tabs
    titles = ["In short", "Where it looked", "Operating points", "All figures", "How it was made"]
    assert [tab.label for tab in tabs] == titles
    words = [element.value for element in tabs[0].markdown]
    assert "Research" in words[0] and "Adults only" in words[2]


def test_where_it_looked_says_which_maps_are_labelled(show: Show, root: Path) -> None:
    tables = [table.value for table in show(root).expander[0].table]
    places = next(table for table in tables if "In the app" in table)
    assert list(places["Finding"]) == [BY_KEY[key].name for key in KEYS[:4]]
    labels = ["shown without a label", "do not rely on it", "do not rely on it", "too few cases to tell"]
    assert [wanted in said for wanted, said in zip(labels, places["In the app"], strict=True)] == [True] * 4
    assert list(places["Hottest place inside"]) == ["\\-"] * 4
    orders = next(table for table in tables if "Order of" in table)
    assert list(orders["The map is"][:6]) == ["", "better", "better", "", "better", "no better"]


def test_a_card_whose_maps_were_not_tested_has_no_such_table(show: Show, root: Path) -> None:
    write(root, "three", json.dumps({key: value for key, value in CARD.items() if key != "where_it_looked"}))
    page = show(root)
    titles = {one.label: [text.value for text in one.subheader] for one in page.expander}
    assert "Where it looked" in titles["two"] and "Where it looked" not in titles["three"]


def test_all_that_a_card_says_is_on_the_page(show: Show, root: Path) -> None:
    text = all_text(show(root))
    for wanted in (
        *("Research", "Adults only", "Frontal films only", "Not for sale", "ab" * 32, "head alone", "31.0%"),
        *("base", '{"stages": [{"size": 128}]}', "images: 382; statement: Fitted on all of val.", "organs-9", "2.38"),
        *("heart size", "lung size", "0.500", "-0.250", "0.050"),
        *("No boxes.", "17 of them refused", "43 in 30 patients", "0.123 (0.045 to 0.234)"),
    ):
        assert wanted in text, wanted


@pytest.mark.parametrize(
    "damaged",
    [
        "{not json",
        "[]",
        "{}",
        json.dumps({**CARD, "calibration": {"findings": {"edema": {}}}}),
        json.dumps({**CARD, "metrics": [{"name": "AUROC", "value": "high"}]}),
        json.dumps({**CARD, "where_it_looked": {"findings": LOOKED}}),
        json.dumps({**CARD, "geometry": {"quantities": ["one too few"]}}),
        json.dumps({key: value for key, value in CARD.items() if key != "sha256"}),
    ],
)
def test_a_damaged_card_is_one_line_and_the_others_are_shown(show: Show, root: Path, damaged: str) -> None:
    write(root, "broken", damaged)
    page = show(root)
    assert not page.exception
    assert [one.value.startswith("broken: its card") for one in page.error] == [True]
    labels = [one.label for one in page.expander if not one.label.startswith("Readers")]
    assert labels == ["one **(active)**", "two"]
    assert len(page.table) == 2 * len(page.expander[0].table)


def test_a_damaged_pointer_is_one_line_too(show: Show, root: Path) -> None:
    (root / "active.json").write_text("")
    page = show(root)
    assert not page.exception and len(page.expander) == 2
    assert all("active.json" in one.value for one in page.error)


def test_the_shipped_cards_are_shown_in_full(show: Show, tmp_path: Path) -> None:
    cards: list[Card] = [card for network in NETWORKS for card in WeightStore().versions(network)]
    if {card.network for card in cards} != set(NETWORKS):
        missing(f"versions of both networks in {ROOT / 'weights'}")
    for card in cards:
        copied = tmp_path / card.network / card.version
        shutil.copytree(
            WeightStore().root / card.network / card.version, copied, ignore=lambda *_: ["model.safetensors"]
        )
    page = show(tmp_path)
    assert not page.exception and not page.error and len(page.expander) == len(cards)
    text = all_text(page)
    for card in cards:
        for said in leaves(card.data):
            assert any(form in text for form in forms(said)), (card.version, said)


def leaves(value: Any) -> list[Any]:
    """Everything that a card says, without the names of its fields."""
    if isinstance(value, dict):
        return [leaf for one in value.values() for leaf in leaves(one)]
    if isinstance(value, list):
        return [leaf for one in value for leaf in leaves(one)]
    return [] if value is None or value == "" else [value]


def forms(said: Any) -> list[str]:
    """How a value may stand on the page."""
    if isinstance(said, bool):
        return [json.dumps(said)]
    if said in BY_KEY:
        return [BY_KEY[said].name]
    if isinstance(said, float):
        return [str(said), f"{said:.3f}", f"{said:.2f}", f"{said:.1%}"]
    return [" ".join(str(said).split()), str(said).capitalize()]
