import pytest
from streamlit.testing.v1 import AppTest

from lung_models.weights import Card
from pages.components.notice import NOTICE

FINDING = {"slope": 1.1, "intercept": -0.2, "threshold": 0.31, "low": 0.25, "high": 0.4}
CARD = {
    "network": "findings",
    "architecture": "FindingsNet",
    "created": "2026-01-02",
    "sha256": "ab" * 32,
    "input_size": 256,
    "summary": "Six findings.",
    "intended_use": "Research.",
    "limits": ["Adults only.", "Frontal films only."],
    "training_data": [{"name": "A set", "images": 100, "terms": "CC BY 4.0", "citation": "Someone 2020"}],
    "recipe": {"name": "base", "seed": 7},
    "git_commit": "abc",
    "metrics": [
        {"name": "AUROC", "group": "val", "value": 0.812, "low": 0.79, "high": 0.83, "n": 321, "protocol": "bootstrap"},
        {"name": "AUROC", "group": "site B", "value": 0.7, "low": None, "high": None, "n": 5},
    ],
    "calibration": {"findings": {"edema": FINDING}, "rule": "sensitivity 0.90"},
    "heat_scale": 3.0,
    "terms": "Not for sale.",
}


class Store:
    def versions(self, network: str) -> list[Card]:
        if network == "organs":
            return []
        return [Card(network, version, {**CARD, "version": version}) for version in ("one", "two")]

    def active(self, network: str) -> str | None:
        return "one" if network == "findings" else None


@pytest.fixture
def page(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setattr("lung_models.weights.WeightStore", Store)
    run = AppTest.from_string(
        "from pages.components.notice import notice\nfrom pages.models import page\nnotice()\npage()"
    )
    return run.run(timeout=60)


def test_every_version_is_shown_and_the_active_one_is_marked_and_open(page: AppTest) -> None:
    assert not page.exception
    assert [(one.label, one.proto.expanded) for one in page.expander] == [("two", False), ("one **(active)**", True)]
    assert "no version on disk" in page.warning[0].value


def test_figures_come_with_interval_and_number_of_cases(page: AppTest) -> None:
    figures = page.expander[1].table[1].value
    assert list(figures["95 % interval"]) == ["0\\.790 to 0\\.830", "not given"]
    assert list(figures["n"]) == ["321", "5"]


def test_use_limits_terms_and_hash_are_on_the_card(page: AppTest) -> None:
    text = " ".join(one.value for one in page.expander[1].markdown)
    for wanted in ("Research", "Adults only", "Frontal films only", "Not for sale", "ab" * 32):
        assert wanted in text
    assert "31" in page.expander[1].table[2].value.iloc[0]["Operating point"]


def test_notice_is_there(page: AppTest) -> None:
    assert NOTICE in page.get("html")[0].proto.body
