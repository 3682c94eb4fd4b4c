"""Fine-tuning for real: a shifted hospital gains, made-up labels do not, and every way ends in a version that reads."""

import csv
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lung_models.__main__ import main
from lung_models.decode import decode
from lung_models.findings import KEYS
from lung_models.reader import Reader
from lung_models.reading import ORGANS
from lung_models.training.tuning import compare, forgetting
from lung_models.weights import WeightStore
from tests.conftest import ROOT
from tests.pictures import variant, write


def table_of(shared_data: Path, source: str) -> list[dict[str, str]]:
    with (shared_data / "classification" / "labels.csv").open() as table:
        return [row for row in csv.DictReader(table) if row["source"] == source]


def small_set(folder: Path, shared_data: Path, rows: Sequence[dict[str, str]]) -> Path:
    """Radiographs of shared/data with a labels.csv in its layout."""
    (folder / "images").mkdir(parents=True)
    with (folder / "labels.csv").open("w", newline="") as handle:
        out = csv.DictWriter(handle, ["file", "patient_id", *KEYS])
        out.writeheader()
        for row in rows:
            shutil.copy(shared_data / "classification" / row["file"], folder / row["file"])
            out.writerow({name: row[name] for name in ("file", "patient_id", *KEYS)})
    return folder


def train(arguments: list[str | Path], capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    capsys.readouterr()
    assert main(["train", *map(str, arguments), "--json"]) == 0
    *others, line = capsys.readouterr().out.splitlines()
    assert others == [], "standard output has one line"
    return dict(json.loads(line))


@pytest.mark.data
def test_quick_on_a_shifted_hospital_beats_the_parent_and_made_up_labels_do_not(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], chest_file: Path
) -> None:
    """Wingspan's films, where cardiomegaly was measured: the probabilities of the parent do not fit this hospital."""
    rows = [row for row in table_of(shared_data, "wingspan") if row["cardiomegaly"]]
    out = tmp_path / "weights"
    real = small_set(tmp_path / "real", shared_data, rows)
    common = ["--recipe", "quick", "--out", out, "--checkpoints", tmp_path / "checkpoints"]
    result = train(["findings", "--data", real, *common], capsys)
    assert result["parent"] == WeightStore().active("findings")
    assert sum(result["images"][part] for part in ("train", "validation", "held_out")) == len(rows)
    gained = result["difference"]["calibration_error_cardiomegaly"]
    print(f"calibration error {result['before']['calibration_error_cardiomegaly']['value']} {gained}")
    assert gained["ci95"][1] < 0, "the hold-out shows it beyond chance"
    assert result["after"]["auroc_mean"]["value"] >= result["before"]["auroc_mean"]["value"] - 0.05

    reader = Reader.load(out, device="cpu")
    reading = reader.read(decode(chest_file.read_bytes(), chest_file.name))
    assert reading.accepted and reading.models["findings"].version == result["version"], "the new store is whole"
    card = WeightStore(out).card("findings").data
    assert card["parent"] == result["parent"] and card["labelled_set"]["images"] == result["images"]
    assert card["recipe"]["seed"] == 1 and "images/" not in json.dumps(card)

    labels = np.random.default_rng(3).permutation([row["cardiomegaly"] for row in rows])
    made_up = [{**row, "cardiomegaly": label} for row, label in zip(rows, labels, strict=True)]
    shuffled = small_set(tmp_path / "shuffled", shared_data, made_up)
    result = train(["findings", "--data", shuffled, *common], capsys)
    assert result["difference"]["auroc_mean"]["ci95"][0] <= 0
    assert result["verdicts"]["auroc_mean"] != "better"


@pytest.fixture
def thirty(tmp_path: Path, chest_pixels: np.ndarray) -> Path:
    """Thirty variants of one radiograph, a third bright at the right base and called Effusion."""
    folder = tmp_path / "set"
    for number in range(30):
        picture = variant(chest_pixels, number)
        if number % 2:
            height, width = picture.shape
            picture[height // 2 : height * 3 // 4, width // 8 : width * 3 // 8] |= 0xC0
        write(folder / ("Normal", "Effusion")[number % 2] / f"{number:02}.png", picture)
    return folder


@pytest.mark.parametrize("base", ["efficientnet-lite0-4", "seven-layer-3", "seven-layer-4"])
def test_full_trains_every_classifier(
    base: str, thirty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "BOOTSTRAPS", 50)
    ways = ["--recipe", "full", "--epochs", "2", "--base", base]
    where = ["--out", tmp_path / "w", "--checkpoints", tmp_path / "checkpoints"]
    result = train(["findings", "--data", thirty, *ways, *where], capsys)
    assert result["parent"] == base and result["version"].startswith(f"{base}-full-")
    store = WeightStore(tmp_path / "w")
    tuned, parent = store.load(store.card("findings")), WeightStore().load(WeightStore().card("findings", base))
    pairs = [(a, b) for a, b in zip(tuned.parameters(), parent.parameters(), strict=True) if a.ndim == 4]
    assert all(not bool((a == b).all()) for a, b in pairs), "all convolutions learn"


@pytest.mark.data
@pytest.mark.parametrize("recipe", ["quick", "full"])
def test_outlines_are_tuned_and_bring_a_classifier_that_fits_them(
    recipe: str,
    shared_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    chest_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compare, "BOOTSTRAPS", 50)
    folder, source = tmp_path / "set", shared_data / "segmentation"
    for path in sorted((source / "images").glob("jsrt_*"))[:16]:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / "images")
        for organ in ORGANS:
            (folder / "masks" / organ).mkdir(parents=True, exist_ok=True)
            shutil.copy(source / "masks" / organ / f"{path.stem}.png", folder / "masks" / organ)
    shutil.copytree(ROOT / "weights", tmp_path / "weights")
    where = ["--out", tmp_path / "weights", "--checkpoints", tmp_path / "checkpoints", "--reference", shared_data]
    monkeypatch.setattr(forgetting, "OUTLINED", 8)
    result = train(["organs", "--data", folder, "--recipe", recipe, "--epochs", "1", *where], capsys)
    assert result["forgetting"]["n"] == 8 and "dice_lungs" in result["forgetting"]["difference"]
    (kept,) = (tmp_path / "checkpoints").rglob("outlines.npz")
    with np.load(kept, allow_pickle=False) as scores:
        assert len(scores["rows"]) == result["images"]["held_out"] == len(scores["after"])
        assert np.nanmean(scores["after"]) == pytest.approx(
            np.mean([result["after"][f"dice_{organ}"]["value"] for organ in ORGANS]), abs=1e-3
        )
    assert {"dice_lungs", "dice_heart", "cardiothoracic_ratio_error"} <= result["difference"].keys()
    assert result["after"]["dice_lungs"]["value"] > 0.9
    store = WeightStore(tmp_path / "weights")
    assert main(["models", "promote", result["version"], "--reason", "ours", "--weights", str(store.root)]) == 0
    assert store.active("findings") == result["findings_version"]
    bound = store.card("findings")
    assert bound.companions == WeightStore().card("findings").companions
    assert all(store.load(bound, one) for one in bound.companions), "it can still be scored as it was"
    before = Reader.load(device="cpu").read(decode(chest_file.read_bytes(), "chest"))
    after = Reader.load(store.root, device="cpu").read(decode(chest_file.read_bytes(), "chest"))
    assert after.models["organs"].version == result["version"]
    for key in KEYS:
        assert after.finding(key).probability == pytest.approx(before.finding(key).probability, abs=0.2)


@pytest.mark.data
def test_what_a_classifier_forgot_is_measured_on_the_reference(
    thirty: Path, shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "BOOTSTRAPS", 20)
    reference = tmp_path / "reference" / "classification"
    reference.mkdir(parents=True)
    (reference / "images").symlink_to(shared_data / "classification" / "images")
    with (shared_data / "classification" / "labels.csv").open() as table:
        header, *rows = table.read().splitlines()
    val = [row for row in rows if ",val," in row][:40]
    (reference / "labels.csv").write_text("\n".join([header, *val]))
    where = ["--out", tmp_path / "w", "--checkpoints", tmp_path / "c", "--reference", reference.parent]
    forgotten = train(["findings", "--data", thirty, "--recipe", "quick", *where], capsys)["forgetting"]
    assert forgotten["n"] == len(val)
    assert forgotten["before"]["auroc_pleural_effusion"]["value"] > 0.7
    assert {"value", "ci95"} <= forgotten["difference"]["auroc_mean"].keys()


def test_two_processes_train_to_the_same_figures_within_noise(thirty: Path, tmp_path: Path) -> None:
    """``torch.distributed.run`` on the CPU: batches are shared, one process writes."""
    results = []
    for processes in (1, 2):
        out = tmp_path / f"out-{processes}"
        command = [sys.executable, "-m"]
        if processes > 1:
            command += ["torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m"]
        command += ["lung_models", "train", "findings", "--data", str(thirty), "--recipe", "full", "--epochs", "2"]
        command += ["--base", "seven-layer-3", "--out", str(out), "--checkpoints", str(out / "state"), "--json"]
        environment = {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "LUNGS_CACHE": str(tmp_path / "cache")}
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        assert len(lines) == 1, "only one process prints"
        results.append(json.loads(lines[0]))
    one, two = results
    assert one["images"] == two["images"] and one["version"] == two["version"]
    assert two["after"]["auroc_mean"]["value"] == pytest.approx(one["after"]["auroc_mean"]["value"], abs=0.15)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["findings", "--data", "nowhere", "--recipe", "quick"], "nowhere is not there"),
        (["findings", "--data", ".", "--recipe", "quick", "--base", "none"], "There is no findings model named none"),
        (["organs", "--data", "SET", "--recipe", "quick"], "No masks were found"),
    ],
)
def test_what_cannot_be_trained_is_one_line(
    arguments: list[str], words: str, thirty: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    given = [str(thirty) if one == "SET" else one for one in arguments]
    assert main(["train", *given, "--out", str(tmp_path / "w"), "--checkpoints", str(tmp_path / "c")]) == 1
    assert words in caplog.messages[-1]
