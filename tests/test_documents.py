"""The documents say what the cards say."""

import pytest

from lung_models.documents import refreshed, tables
from lung_models.weights import WeightStore
from tests.conftest import ROOT

DOCUMENTS = ("README.md", "docs/models.md", "docs/models-in-depth.md")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_every_table_is_the_cards_own(name: str) -> None:
    document = (ROOT / name).read_text(encoding="utf-8")
    assert "<!-- table" in document
    assert document == refreshed(document, tables(WeightStore())), "run `make docs`"


def test_a_table_is_written_between_its_marks_and_nowhere_else() -> None:
    document = "before\n<!-- table one -->\nold\n<!-- end -->\nafter <!-- end -->\n"
    once = refreshed(document, {"one": "| new |"})
    assert once == "before\n<!-- table one -->\n\n| new |\n\n<!-- end -->\nafter <!-- end -->\n"
    assert refreshed(once, {"one": "| new |"}) == once


def test_an_unknown_table_is_an_error() -> None:
    with pytest.raises(KeyError):
        refreshed("<!-- table none -->\n<!-- end -->", {})
