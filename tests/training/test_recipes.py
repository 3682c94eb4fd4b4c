"""From labelled files to a version, on a set small enough to train in seconds."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from lung_models import figures
from lung_models.__main__ import main
from lung_models.decode import decode
from lung_models.evaluate.organs import LEFT_OUT
from lung_models.findings import KEYS
from lung_models.training import making
from lung_models.training.recipes import FINDINGS_RECIPES, ORGANS_RECIPES, OrgansStage, Stage
from lung_models.training.trainer import Settings
from lung_models.weights import NoWeights, WeightStore
from tests.conftest import ROOT

SIDE = 64
TRAINED, VALIDATED, OUTLINED = 24, 60, 15


@pytest.fixture(scope="module")
def labelled_folder(tmp_path_factory: pytest.TempPathFactory, chest_file: Path) -> Path:
    """One real radiograph, moved about and dimmed at random, in the layout of shared/data with made-up labels."""
    folder = tmp_path_factory.mktemp("labelled")
    rng = np.random.default_rng(0)
    chest = decode(chest_file.read_bytes(), chest_file.name).pixels
    small = cv2.resize(chest, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    for kind in ("classification/images", "segmentation/images", "segmentation/masks/right_lung"):
        (folder / kind).mkdir(parents=True)

    def write(path: Path) -> None:
        moved = np.roll(small, tuple(rng.integers(-6, 7, 2)), (0, 1)) * rng.uniform(0.5, 1.0)
        cv2.imwrite(str(path), np.rint(moved * 255).astype(np.uint8))

    names = ["file", "source", "split", "patient_id", "view", "width", *KEYS, "nih_report_labels"]
    with (folder / "classification" / "labels.csv").open("w", newline="") as handle:
        table = csv.DictWriter(handle, names)
        table.writeheader()
        for index in range(TRAINED + VALIDATED):
            file = f"images/{index}.png"
            write(folder / "classification" / file)
            labels = {key: int(rng.random() < 0.4) for key in KEYS}
            split = "train" if index < TRAINED else "val"
            row = {"file": file, "source": "nih", "split": split, "patient_id": f"p{index // 2}", "view": "PA"}
            table.writerow({**row, **labels, "width": 320, "nih_report_labels": "Mass|Hernia"})
    with (folder / "segmentation" / "manifest.csv").open("w", newline="") as handle:
        table = csv.DictWriter(handle, ["file", "source", "structures"])
        table.writeheader()
        for index in range(OUTLINED):
            write(folder / "segmentation" / "images" / f"{index}.png")
            mask = np.zeros((SIDE, SIDE), np.uint8)
            mask[10:50, 8:28] = 255
            cv2.imwrite(str(folder / "segmentation" / "masks" / "right_lung" / f"{index}.png"), mask)
            table.writerow(
                {"file": f"images/{index}.png", "source": ("jsrt", "shenzhen")[index % 2], "structures": "right_lung"}
            )
    return folder


def test_train_writes_a_version_that_evaluate_scores(
    labelled_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(epochs=1, batch_size=4)
    tiny_findings = replace(FINDINGS_RECIPES["seven-layer"], stages=(Stage(SIDE, False, settings),), mined=True)
    monkeypatch.setitem(FINDINGS_RECIPES, "tiny", tiny_findings)
    monkeypatch.setitem(
        ORGANS_RECIPES, "tiny", replace(ORGANS_RECIPES["lite0"], size=SIDE, stages=(OrgansStage(SIDE, settings),))
    )
    monkeypatch.setattr(making, "PRESENTATION_RADIOGRAPHS", 10)
    monkeypatch.setattr(figures, "BOOTSTRAPS", 20)
    monkeypatch.setattr("lung_models.evaluate.gate.RADIOGRAPHS", 2)
    monkeypatch.setattr("lung_models.evaluate.robustness.RADIOGRAPHS", 4)
    monkeypatch.setattr("lung_models.evaluate.other_pictures.DRAWN", 6)
    common = ["--data", str(labelled_folder)]
    where = ["--out", str(tmp_path / "weights"), "--checkpoints", str(tmp_path / "checkpoints")]
    for network in ("organs", "findings"):
        assert main(["train", network, *common, "--recipe", "tiny", *where]) == 0
    store = WeightStore(tmp_path / "weights")
    card = store.card("findings")
    store.load(card)
    assert set(card.companions) == {"text_mined"}
    assert card.data["head_fitted_on"]["images"] == VALIDATED
    assert {one["images"] for one in card.data["training_data"]} == {TRAINED, VALIDATED}
    capsys.readouterr()
    assert main(["evaluate", "findings", *common, "--json", "--weights", str(store.root)]) == 0
    measured = [one["value"] for one in json.loads(capsys.readouterr().out)["metrics"]]
    on_card = [one["value"] for one in card.data["metrics"]]
    assert measured == on_card
    with pytest.raises(SystemExit):
        main(["train"])
    assert main(["train", "findings", *common, "--recipe", "tiny", *where]) == 1, "a version is never changed"


def test_a_source_is_scored_by_a_network_that_never_saw_it(
    labelled_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, channels = Settings(epochs=1, batch_size=2), (32, 16, 16, 8, 8)
    recipe = replace(
        ORGANS_RECIPES["lite0-three-sources"],
        size=SIDE,
        stages=(OrgansStage(SIDE // 2, settings), OrgansStage(SIDE, settings)),
        decoder_channels=channels,
    )
    monkeypatch.setitem(ORGANS_RECIPES, "tiny", recipe)
    monkeypatch.setattr(making, "PRESENTATION_RADIOGRAPHS", 10)
    monkeypatch.setattr(figures, "BOOTSTRAPS", 20)
    monkeypatch.setattr("lung_models.evaluate.gate.RADIOGRAPHS", 2)
    monkeypatch.setattr("lung_models.evaluate.robustness.RADIOGRAPHS", 4)
    monkeypatch.setattr("lung_models.evaluate.other_pictures.DRAWN", 6)
    where = ["--out", str(tmp_path / "weights"), "--checkpoints", str(tmp_path / "checkpoints")]
    assert main(["train", "organs", "--data", str(labelled_folder), "--recipe", "tiny", *where]) == 0
    store = WeightStore(tmp_path / "weights")
    card = store.card("organs")
    assert set(card.companions) == {"without_jsrt", "without_shenzhen"}
    parameters = [store.load(card, one).state_dict()["unet.encoder.conv_stem.weight"] for one in card.companions]
    assert not torch.equal(*parameters)
    dice = {figure["group"]: figure for figure in card.data["metrics"] if figure["name"] == "Dice"}
    assert dice["right_lung, all sources"]["n"] == OUTLINED
    assert {one["protocol"] for one in dice.values()} == {LEFT_OUT}
    assert [one["images"] for one in card.data["training_data"] if one["use"] == "outlines and gate"] == [8, 7]
    (store.root / "organs" / card.version / "without_jsrt.safetensors").write_bytes(b"something else")
    with pytest.raises(NoWeights, match="not the ones on its card"):
        store.load(card, "without_jsrt")


@pytest.mark.parametrize("network, recipes_of", [("findings", FINDINGS_RECIPES), ("organs", ORGANS_RECIPES)])
def test_every_shipped_version_has_its_recipe(network: str, recipes_of: dict) -> None:
    versions = {card.version for card in WeightStore(ROOT / "weights").versions(network)}
    assert versions <= {recipe.version for recipe in recipes_of.values()}
