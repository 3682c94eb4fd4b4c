"""Heat maps that are right, empty of meaning or absent, on a network whose reason is known; then the shipped one."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lung_models.decode import decode
from lung_models.evaluate.heat import Case, Looked, looks_table, measure, summary, where_it_looked
from lung_models.evaluate.perturbation import Score, areas, centred_blob, pointing, ranked
from lung_models.findings import KEYS
from lung_models.reader import Reader
from lung_models.weights import DEFAULT_ROOT, Card, WeightStore

SIDE, CELLS = 56, 7
CORNER, MIDDLE = (0, 0), (3, 3)
KEY = KEYS[1]
EVERYWHERE = np.ones((SIDE, SIDE), bool)


def part(cell: tuple[int, int]) -> tuple[slice, slice]:
    """The pixels of a cell of the coarse grid."""
    side = SIDE // CELLS
    return slice(side * cell[0], side * cell[0] + side), slice(side * cell[1], side * cell[1] + side)


def looks_at(cell: tuple[int, int]) -> Score:
    """A network whose every score is the detail left in one cell: 0 when it is blurred."""

    def score(images: np.ndarray) -> np.ndarray:
        detail = 4.0 * images[:, 0, *part(cell)].var(axis=(1, 2))
        return np.repeat(detail[:, np.newaxis], len(KEYS), axis=1)

    return score


def only(cell: tuple[int, int]) -> np.ndarray:
    heat = np.zeros((CELLS, CELLS), np.float32)
    heat[cell] = 1.0
    return heat


def outcome(score: Score, heat: np.ndarray, cases: int = 12) -> Looked:
    """The map tested on pictures of noise, each of another patient."""
    random = np.random.default_rng(3)
    rows: list[Case] = []
    for _ in range(cases):
        image = (random.random((SIDE, SIDE)) < 0.5).astype(np.float32)
        rows.append(measure(score, image, {KEY: heat}, {KEY: EVERYWHERE}, random)[KEY])
    return summary(KEY, rows, np.arange(cases).astype(str))


def checked(looked: Looked) -> bool | None:
    card = Card("findings", "made up", {"where_it_looked": {"protocol": "", "findings": [looked.to_json()]}})
    return card.heat_checked[KEY]


def test_a_map_of_the_true_reason_beats_the_blob_and_a_random_order() -> None:
    looked = outcome(looks_at(CORNER), only(CORNER))
    assert looked.better_than_blob is True and looked.better_than_random is True and checked(looked) is True
    value = {name: figure["value"] for name, figure in looked.figures.items() if figure}
    assert value["deletion"] < min(value["deletion_random"], value["deletion_blob"])
    assert value["insertion"] > max(value["insertion_random"], value["insertion_blob"])


@pytest.mark.parametrize("cell", [CORNER, MIDDLE])
def test_a_map_that_says_nothing_is_not_held_for_better(cell: tuple[int, int]) -> None:
    """In the corner a blob is worse than chance, so that beating it alone would prove nothing."""
    looked = outcome(looks_at(cell), np.ones((CELLS, CELLS), np.float32))
    assert looked.better_than_random is False and checked(looked) is False
    assert looked.figures["lead_random"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert looked.better_than_blob is (cell == CORNER)


def test_a_map_of_the_wrong_place_is_no_better() -> None:
    looked = outcome(looks_at(MIDDLE), only(CORNER))
    assert looked.better_than_blob is False and checked(looked) is False


def test_too_few_cases_tell_nothing() -> None:
    looked = outcome(looks_at(CORNER), only(CORNER), cases=9)
    assert looked.better_than_blob is None and looked.better_than_random is None and checked(looked) is None


def test_a_map_without_heat_has_no_place() -> None:
    figures = outcome(looks_at(CORNER), np.zeros((CELLS, CELLS), np.float32)).figures
    assert figures["heat_inside"] is None and figures["pointing"] is None and figures["chance"] is not None


def test_the_pointing_game_is_exact() -> None:
    heat = np.array([[0.1, 0.9, 0.0], [0.0, 0.2, 0.3]], np.float32)
    inside = np.array([[False, True, False], [False, False, True]])
    assert pointing(heat, inside) == 1.0
    assert pointing(heat, ~inside) == 0.0
    heat[1, 2], heat[1, 1], heat[0, 0] = 0.9, 0.9, 0.9
    assert pointing(heat, inside) == 0.5, "two of the four places that share the greatest heat lie inside"
    assert pointing(np.ones((2, 3)), inside) == pytest.approx(2 / 6), "a constant map points as chance does"


def test_the_heat_inside_a_region_and_the_region_are_measured() -> None:
    left = np.zeros((SIDE, SIDE), bool)
    left[:, : SIDE // 4] = True
    heat = np.ones((CELLS, CELLS), np.float32)
    case = measure(looks_at(CORNER), np.eye(SIDE, dtype=np.float32), {KEY: heat}, {KEY: left}, np.random.default_rng(0))
    assert case[KEY]["heat_inside"] == pytest.approx(0.25) and case[KEY]["chance"] == 0.25
    assert case[KEY]["pointing"] == pytest.approx(0.25) and case[KEY]["pointing_blob"] == 0.0


def test_taking_away_in_one_order_is_bringing_back_in_the_other() -> None:
    random = np.random.default_rng(1)
    image = random.random((SIDE, SIDE), np.float32)
    rank = ranked(centred_blob(SIDE), random.random((SIDE, SIDE)))
    assert sorted(rank.ravel()) == list(range(SIDE * SIDE)) and rank[0, 0] > rank[SIDE // 2, SIDE // 2]
    forth, back = areas(looks_at(MIDDLE), image, [rank, SIDE * SIDE - 1 - rank])
    assert forth[0] == pytest.approx(back[1], abs=1e-6) and forth[1] == pytest.approx(back[0], abs=1e-6)
    assert forth[0, 0] < forth[1, 0], "the middle goes first"


def test_what_a_card_holds_is_read_back() -> None:
    looked = [outcome(looks_at(CORNER), only(CORNER)), summary(KEYS[0], [], np.array([], str))]
    found = {"protocol": "How.", "radiographs": 12, "refused": 1, "findings": [one.to_json() for one in looked]}
    stored = json.loads(json.dumps(found))
    assert [Looked.from_json(one) for one in stored["findings"]] == looked
    lines = looks_table(stored)
    assert any("better" in line for line in lines) and any("too few to tell" in line for line in lines)
    assert lines[-1] == "12 radiographs, 1 refused. How."


@pytest.fixture(scope="module")
def few(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two radiographs of val in the layout of shared/data."""
    folder = shared_data / "classification"
    table = pd.read_csv(folder / "labels.csv", dtype={"patient_id": str}).query("split == 'val'")[:2]
    root = tmp_path_factory.mktemp("few")
    (root / "classification").mkdir()
    table.assign(file=[str(folder / file) for file in table["file"]]).to_csv(root / "classification" / "labels.csv")
    return root


def test_every_finding_called_present_is_a_case(few: Path) -> None:
    store = WeightStore()
    card = store.card("findings", "efficientnet-lite0-1")
    found = where_it_looked(store, card, few)
    organs = card.data["geometry"]["organs_version"]
    reader = Reader.load(findings_version=card.version, organs_version=organs)
    files = [Path(file) for file in pd.read_csv(few / "classification" / "labels.csv")["file"]]
    readings = [reader.read(decode(file.read_bytes(), file.name)) for file in files]
    for one in found["findings"]:
        assert one["n"] == sum(r.finding(one["finding"]).call == "present" for r in readings if r.accepted)
        assert one["better_than_blob"] is None
    assert sum(one["n"] for one in found["findings"]) > 0
    assert found["radiographs"] == 2 and found["refused"] == sum(not reading.accepted for reading in readings)


def test_a_network_that_looks_at_a_frame_is_tested_inside_it(few: Path, tmp_path: Path) -> None:
    """The organs fill more of the frame around them than of the picture."""

    def share_of_organs(framing: str) -> float:
        root = tmp_path / framing
        shutil.copytree(DEFAULT_ROOT, root)
        place = root / "findings" / "efficientnet-lite0-1" / "card.json"
        card = json.loads(place.read_text())
        # Everything is called present, so that the same cases are compared.
        for one in card["calibration"]["findings"].values():
            one.update(threshold=0.0, low=0.0, high=0.0)
        place.write_text(json.dumps({**card, "framing": framing}))
        store = WeightStore(root)
        found = where_it_looked(store, store.card("findings", "efficientnet-lite0-1"), few)
        assert all(one["n"] == 2 - found["refused"] for one in found["findings"])
        return float(found["findings"][-1]["chance"]["value"])

    assert share_of_organs("organs") > 1.1 * share_of_organs("whole")
