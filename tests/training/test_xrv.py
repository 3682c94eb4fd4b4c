"""torchxrayvision's DenseNet-121 with random weights, from its file to a version that reads."""

import csv
import hashlib
import json
import os
import pickle
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torchxrayvision
from torch import nn

from lung_models import figures
from lung_models.__main__ import main
from lung_models.decode import decode
from lung_models.findings import KEYS
from lung_models.heatmap import closed_form
from lung_models.networks import XrvDenseNet
from lung_models.radiograph import Refusal
from lung_models.reader import Reader
from lung_models.training import xrv
from lung_models.weights import DEFAULT_ROOT, WeightStore

PATIENTS, FILMS = 20, 2
SIDE = 96


@pytest.fixture(scope="module")
def theirs() -> nn.Module:
    """torchxrayvision's own network, random, with statistics of the range of grey values that it is meant for."""
    torch.manual_seed(0)
    network = torchxrayvision.models.DenseNet(num_classes=18).train()
    with torch.no_grad():
        for _ in range(4):
            network(torch.rand(4, 1, 64, 64) * 2048 - 1024)
    return network.eval()


@pytest.fixture(scope="module", params=["whole, before torch 1.6", "whole", "state dictionary"])
def content(request: pytest.FixtureRequest, theirs: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Its file, as published (a whole network in the old format) and as it may be published some day."""
    path = tmp_path_factory.mktemp("files") / "weights.pt"
    saved = theirs.state_dict() if request.param == "state dictionary" else theirs
    torch.save(saved, path, _use_new_zipfile_serialization=request.param != "whole, before torch 1.6")
    return path.read_bytes()


@pytest.fixture
def file(theirs: nn.Module, tmp_path: Path) -> Path:
    path = tmp_path / "published.pt"
    torch.save(theirs, path, _use_new_zipfile_serialization=False)
    return path


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    """The shipped organ model and nothing else."""
    store = WeightStore(tmp_path / "weights")
    shipped = WeightStore().card("organs")
    shutil.copytree(DEFAULT_ROOT / "organs" / shipped.version, store.root / "organs" / shipped.version)
    store.activate("organs", shipped.version)
    return store


@pytest.fixture
def labelled(tmp_path: Path, chest_file: Path) -> Path:
    """One real radiograph, moved about and dimmed at random, with made-up labels."""
    folder, rng = tmp_path / "labelled", np.random.default_rng(0)
    (folder / "classification" / "images").mkdir(parents=True)
    chest = decode(chest_file.read_bytes(), chest_file.name).pixels
    small = cv2.resize(chest, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    names = ["file", "source", "split", "patient_id", "view", "width", *KEYS, "nih_report_labels"]
    with (folder / "classification" / "labels.csv").open("w", newline="") as handle:
        table = csv.DictWriter(handle, names)
        table.writeheader()
        for index in range(PATIENTS * FILMS):
            moved = np.roll(small, tuple(rng.integers(-6, 7, 2)), (0, 1)) * rng.uniform(0.5, 1.0)
            file = f"images/{index}.png"
            cv2.imwrite(str(folder / "classification" / file), np.rint(moved * 255).astype(np.uint8))
            row = {"file": file, "source": "ward", "split": "val", "patient_id": f"p{index // FILMS}", "view": "PA"}
            table.writerow(
                {**row, **{key: int(rng.random() < 0.4) for key in KEYS}, "width": SIDE, "nih_report_labels": "Mass"}
            )
    return folder


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def added(store: WeightStore, data: Path, *options: object) -> int:
    return main(["models", "add", "xrv", "--data", str(data), "--weights", str(store.root), *map(str, options)])


@torch.inference_mode()
def test_the_features_are_those_of_torchxrayvision(content: bytes, theirs: nn.Module) -> None:
    images = torch.rand(3, 1, 224, 224)
    _, features = xrv.converted(content)(images)
    expected = theirs.get_submodule("features")(images * 2048 - 1024).relu()
    assert features.shape == (3, 1024, 7, 7) and bool((expected > 0).any())
    torch.testing.assert_close(features, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(features.mean(dim=(2, 3)), theirs.features2(images * 2048 - 1024), rtol=1e-5, atol=1e-5)


@torch.inference_mode()
def test_half_precision_does_not_reach_so_wide_a_range(theirs: nn.Module, content: bytes) -> None:
    network, images = xrv.converted(content), torch.rand(1, 1, 64, 64)
    with torch.autocast("cpu", dtype=torch.float16):
        _, under_autocast = network(images)
    torch.testing.assert_close(under_autocast, network(images)[1])


def test_grad_cam_stays_in_closed_form() -> None:
    torch.manual_seed(0)
    network = XrvDenseNet().eval()
    logits, features = network(torch.rand(1, 1, 64, 64))
    [gradient] = torch.autograd.grad(logits[0, 2], features)
    by_gradient = (gradient.mean(dim=(2, 3), keepdim=True) * features).sum(dim=1).relu()[0].detach().numpy()
    closed = closed_form(features[0].detach().numpy(), network.head.weight.detach().numpy())[2]
    np.testing.assert_allclose(closed / closed.max(), by_gradient / by_gradient.max(), atol=1e-5)


@pytest.mark.parametrize("stored", [nn.Linear(2, 2), {"features.conv0.weight": torch.zeros(64, 3, 7, 7)}, [1, 2], "x"])
def test_another_network_is_refused(stored: object, tmp_path: Path) -> None:
    torch.save(stored, tmp_path / "other.pt")
    with pytest.raises(Refusal, match="does not hold torchxrayvision's DenseNet-121: "):
        xrv.converted((tmp_path / "other.pt").read_bytes())


@pytest.mark.parametrize("junk", [b"", b"nothing that torch wrote", b"PK\x03\x04 cut off"])
def test_what_torch_did_not_write_is_refused(junk: bytes) -> None:
    with pytest.raises(Refusal, match="does not hold a network that torch saved"):
        xrv.converted(junk)


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("old_format", [True, False])
def test_a_malicious_pickle_is_not_executed(theirs: nn.Module, tmp_path: Path, old_format: bool) -> None:
    """Not even one whose hash the user vouched for, nor one that holds all the tensors."""
    path, trace = tmp_path / "malicious.pt", tmp_path / "trace"
    state = {**theirs.state_dict(), "extra": Malicious(trace)}
    torch.save(state, path, _use_new_zipfile_serialization=not old_format)
    xrv.converted(path.read_bytes())
    for content in (pickle.dumps(Malicious(trace)), pickle.dumps(Malicious(trace), 0)):
        with pytest.raises(Refusal):
            xrv.converted(content)
    assert not trace.exists()
    torch.load(path, weights_only=False)
    assert trace.exists(), "the file is malicious indeed"


def test_a_wrong_hash_is_refused_before_anything_is_read(
    store: WeightStore,
    labelled: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def opened(*_: object, **__: object) -> None:
        pytest.fail("the file was opened before its hash was found right")

    monkeypatch.setattr(torch, "load", opened)
    file = tmp_path / "weights.pt"
    file.write_bytes(pickle.dumps(Malicious(tmp_path / "trace")))
    assert added(store, labelled, "--file", file) == 1
    assert added(store, labelled, "--file", file, "--sha256", "0" * 64) == 1
    unknown, other = caplog.messages
    assert xrv.SHA256 in unknown and f"--sha256 {sha256(file)}" in unknown and "\n" not in unknown
    assert sha256(file) in other and "not the one stated" in other and "\n" not in other
    assert not (tmp_path / "trace").exists() and store.versions("findings") == []


def test_a_hash_is_64_digits(store: WeightStore, labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        added(store, labelled, "--sha256", "abc")
    assert stopped.value.code == 2 and "64 hexadecimal digits" in capsys.readouterr().err


def test_without_torchxrayvision_there_is_one_line(
    store: WeightStore, labelled: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "torchxrayvision", None)
    assert added(store, labelled) == 1
    [line] = caplog.messages
    assert "pip install torchxrayvision==1.5.7" in line and "--file" in line


def test_what_is_fetched_is_said_beforehand_and_checked_afterwards(
    store: WeightStore,
    labelled: Path,
    file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fetch(name: str) -> str:
        assert name == "densenet121-res224-all"
        said.append(capsys.readouterr().err)
        print("Downloading weights...")
        return str(file)

    said: list[str] = []
    monkeypatch.setattr(torchxrayvision.models, "get_weights", fetch)
    assert added(store, labelled) == 1
    assert "https://github.com/mlmed/torchxrayvision/releases/download/v1/nih-pc-chex" in said[0]
    assert "not what torchxrayvision published" in caplog.messages[-1], "random weights are not the published ones"
    assert capsys.readouterr().out == "", "standard output is for results"


def test_a_transfer_that_fails_is_one_line(
    store: WeightStore, labelled: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(name: str) -> str:
        raise ConnectionError("a long story\nof many lines")

    monkeypatch.setattr(torchxrayvision.models, "get_weights", fail)
    assert added(store, labelled) == 1
    [line] = caplog.messages
    assert "could not be fetched (ConnectionError)" in line and "\n" not in line and "long story" not in line


def test_too_few_labels_are_said_before_anything_is_fetched(
    store: WeightStore, labelled: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "torchxrayvision", None)
    table = labelled / "classification" / "labels.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *rows[:8]]))
    assert added(store, labelled) == 1
    assert "val needs at least 5 patients with" in caplog.messages[-1]
    assert added(store, labelled.parent) == 1
    assert "labels.csv is missing" in caplog.messages[-1]


def test_it_is_added_calibrated_read_with_and_promoted(
    store: WeightStore,
    labelled: Path,
    file: Path,
    chest_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(xrv, "SIZE", 64)
    monkeypatch.setattr(figures, "BOOTSTRAPS", 5)
    monkeypatch.setattr("lung_models.evaluate.findings.REPEATS", 1)
    monkeypatch.setattr("lung_models.evaluate.robustness.RADIOGRAPHS", 1)
    monkeypatch.setattr("lung_models.evaluate.where_it_looked", lambda *_: {"findings": []})
    monkeypatch.setenv("LUNGS_CACHE", str(labelled.parent / "cache"))
    options = ("--file", file, "--sha256", sha256(file).upper())
    assert added(store, labelled, *options) == 0
    assert "does not read yet" in capsys.readouterr().out
    assert store.active("findings") is None
    card = store.card("findings", xrv.VERSION)
    network = store.load(card)
    published = xrv.converted(file.read_bytes()).state_dict()
    assert all(torch.equal(network.state_dict()[name], published[name]) for name in published if "head" not in name)
    data = card.data
    assert any("The download itself was not tested" in limit for limit in data["limits"])
    assert any("trusted by its stated hash" in limit for limit in data["limits"])
    assert {"PadChest", "CheXpert", "MIMIC-CXR", "ward"} <= {one["name"] for one in data["training_data"]}
    assert data["head_fitted_on"]["images"] == PATIENTS * FILMS
    assert data["recipe"]["weights_sha256"] == sha256(file)
    auroc = [one for one in data["metrics"] if one["name"] == "AUROC"]
    assert len(auroc) == 7 and all("cross-validation" in one["protocol"] for one in auroc)

    reader = Reader.load(store.root, device="cpu", findings_version=card.version)
    reading = reader.read(decode(chest_file.read_bytes(), chest_file.name))
    assert reading.accepted and reading.models["findings"].architecture == "XrvDenseNet"
    assert all(0.0 < one.probability < 1.0 and one.heat.shape == (2, 2) for one in reading.findings)

    where = ["--weights", str(store.root)]
    assert main(["models", "promote", card.version, "--reason", "better", *where]) == 0
    assert store.active("findings") == card.version
    capsys.readouterr()
    assert main(["models", "show", card.version, *where]) == 0
    assert json.loads(capsys.readouterr().out) == data


def test_what_was_never_calibrated_is_never_made_active(store: WeightStore, caplog: pytest.LogCaptureFixture) -> None:
    card = {"input_size": 224, "created": "2026-01-01T00:00:00+00:00", "metrics": []}
    store.save("findings", "raw", XrvDenseNet(), card)
    assert main(["models", "promote", "raw", "--reason", "why not", "--weights", str(store.root)]) == 1
    assert caplog.messages == ["raw was never calibrated, so it has no probabilities and cannot be made active."]
    assert store.active("findings") is None
