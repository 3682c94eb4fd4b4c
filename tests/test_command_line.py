"""The command line's contract: what is printed where, and with which exit code."""

import json
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from lung_models.__main__ import main
from lung_models.decode import decode
from lung_models.findings import KEYS
from lung_models.radiograph import Radiograph, Refusal
from lung_models.reader import Reader
from lung_models.training import recipes
from lung_models.training.trainer import Stopped
from lung_models.weights import WeightStore
from tests.conftest import ROOT, sample_file

CHEST = ("RG1_UNCR.dcm", "RG1_UNCI.dcm", "RG1_J2KR.dcm", "RG1_J2KI.dcm")
LOSSLESS_TOLERANCE = 0.02


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of what is not to be read, and why."""
    folder = tmp_path_factory.mktemp("planted")
    chest = decode(sample_file("RG1_UNCR.dcm").read_bytes(), "chest").pixels
    small = cv2.resize(chest, (736, 782), interpolation=cv2.INTER_AREA)

    def write(name: str, pixels: np.ndarray) -> None:
        cv2.imwrite(str(folder / name), np.rint(pixels * 255).astype(np.uint8))

    write("blank.png", np.full((600, 600), 0.5))
    write("inverted.png", 1.0 - small)
    write("noise.png", np.random.default_rng(0).random((600, 600)))
    write("turned_180.png", np.rot90(small, 2))
    write("turned_90.png", np.rot90(small))
    (folder / "leg.dcm").write_bytes(sample_file("RG3_UNCR.dcm").read_bytes())
    (folder / "text.png").write_text("This is a text, whatever its name says.")
    (folder / "truncated.dcm").write_bytes(sample_file("RG1_UNCR.dcm").read_bytes()[:100_000])
    from skimage import data

    cv2.imwrite(str(folder / "photograph.jpg"), data.astronaut()[..., ::-1])
    return folder


def test_four_encodings_of_a_chest_radiograph(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "--json", *(str(sample_file(name)) for name in CHEST)]) == 0
    results = lines(capsys)
    assert [Path(one["path"]).name for one in results] == list(CHEST)
    assert all(one["accepted"] and one["reason"] is None for one in results)
    for one in results:
        assert tuple(one["findings"]) == KEYS and one["primary"] in KEYS and one["view"] == "PA"
        for key in KEYS:
            first = results[0]["findings"][key]["probability"]
            assert one["findings"][key]["probability"] == pytest.approx(first, abs=LOSSLESS_TOLERANCE)
            assert set(one["findings"][key]) == {"probability", "threshold", "call"}
            assert one["findings"][key]["call"] in ("present", "uncertain", "absent")
        assert set(one["anatomy"]) == {
            "cardiothoracic_ratio",
            "right_lung_fraction",
            "left_lung_fraction",
            "flags",
        }
        assert set(one["models"]) == {"findings", "organs"} and len(one["models"]["organs"]["sha256"]) == 64
        assert set(one["milliseconds"]) == {"decode", "organs", "findings", "total"}


def test_averaged_findings_have_a_spread_and_nothing_else_changes(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(sample_file("RG1_UNCR.dcm")), str(sample_file("RG3_UNCR.dcm"))]
    assert main(["read", "--json", *files]) == 0
    single, refused = lines(capsys)
    assert main(["read", "--json", "--average", *files]) == 0
    averaged, refused_again = lines(capsys)
    assert list(averaged) == list(single)
    for key in ("path", "accepted", "reason", "view", "anatomy", "models"):
        assert averaged[key] == single[key]
    for one in averaged["findings"].values():
        assert list(one) == ["probability", "threshold", "call", "spread"]
        low, high = one["spread"]
        assert 0.0 <= low <= one["probability"] <= high <= 1.0
    assert any(one["spread"][0] < one["spread"][1] for one in averaged["findings"].values())
    assert {**refused_again, "milliseconds": None} == {**refused, "milliseconds": None}


def test_each_planted_fault_has_its_own_reason(planted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "--json", str(planted)]) == 0
    results = {Path(one["path"]).name: one for one in lines(capsys)}
    assert set(results) == {path.name for path in planted.iterdir()}
    for name, one in results.items():
        assert one["accepted"] is False, name
        assert one["findings"] is None and one["anatomy"] is None and one["primary"] is None
    words = {
        "blank.png": "blank",
        "inverted.png": "inverted",
        "leg.dcm": "frontal chest",
        "noise.png": "frontal chest",
        "photograph.jpg": "colour",
        "text.png": "text",
        "truncated.dcm": "truncated",
        "turned_180.png": "upside down",
        "turned_90.png": "anticlockwise",
    }
    for name, word in words.items():
        assert word in results[name]["reason"], (name, results[name]["reason"])


def test_masks_and_heat_maps_have_the_image_s_own_size(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--masks", str(tmp_path / "masks"), "--heatmaps", str(tmp_path / "heat")]
    assert main(["read", "--json", str(sample_file("RG1_UNCR.dcm")), str(sample_file("RG3_UNCR.dcm")), *out]) == 0
    assert [path.name for path in (tmp_path / "masks").iterdir()] == ["RG1_UNCR.png"], "none for what was refused"
    labels = cv2.imread(str(tmp_path / "masks" / "RG1_UNCR.png"), cv2.IMREAD_UNCHANGED)
    assert labels.shape == (1955, 1841) and set(np.unique(labels)) == {0, 1, 2, 3}
    first = lines(capsys)[0]["anatomy"]
    assert (labels == 1).mean() == pytest.approx(first["right_lung_fraction"], abs=0.01)
    with np.load(tmp_path / "heat" / "RG1_UNCR.npz") as maps:
        assert tuple(maps) == KEYS
        for heat in maps.values():
            assert heat.dtype == np.float32 and heat.shape == (1955, 1841) and heat.min() >= 0 and heat.max() <= 1


def test_a_zip_is_read_entry_by_entry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "studies.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("b/chest.dcm", sample_file("RG1_J2KI.dcm").read_bytes())
        packed.writestr("a/notes.txt", "not an image")
        packed.writestr("__MACOSX/b/._chest.dcm", "resource fork")
    assert main(["read", "--json", str(archive)]) == 0
    results = lines(capsys)
    assert [one["path"] for one in results] == [f"{archive}/a/notes.txt", f"{archive}/b/chest.dcm"]
    assert [one["accepted"] for one in results] == [False, True]


def test_what_cannot_be_opened_is_a_line_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "--json", str(tmp_path / "missing.dcm")]) == 0
    (one,) = lines(capsys)
    assert one["accepted"] is False and "cannot be opened" in one["reason"]


class StubReader:
    """Reads everything alike, or fails on everything whose name begins with ``bad``."""

    def __init__(self, failure: BaseException | None = None) -> None:
        self.failure = failure
        self.findings_card, self.organs_card = (WeightStore().card(network) for network in ("findings", "organs"))

    def read(self, radiograph: Radiograph, decode_milliseconds: float, *, averaged: bool) -> SimpleNamespace:
        if self.failure is not None and radiograph.name.startswith("bad"):
            raise self.failure
        line = {"accepted": False, "reason": "A stub read it."}
        return SimpleNamespace(
            accepted=True,
            radiograph=radiograph,
            anatomy=SimpleNamespace(label_map=lambda height, width: np.zeros((height, width), np.uint8)),
            findings=(),
            to_json=lambda path: {"path": path, **line},
        )


@pytest.fixture
def stubbed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Replaces the models by a stub."""
    return lambda failure=None: monkeypatch.setattr(Reader, "load", lambda *_: StubReader(failure))


def picture(path: Path) -> str:
    """A picture that decodes, written to a path."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(cv2.imencode(".png", np.zeros((8, 8), np.uint8))[1].tobytes())
    return str(path)


@pytest.mark.parametrize("failure", [MemoryError, RuntimeError, cv2.error, KeyError, Refusal])
def test_a_failure_on_one_input_is_its_line_and_the_run_goes_on(
    failure: type[Exception], tmp_path: Path, capsys: pytest.CaptureFixture[str], stubbed: Callable[..., None]
) -> None:
    stubbed(failure("Doe^Jane" if failure is not Refusal else "It has a reason."))
    assert main(["read", "--json", picture(tmp_path / "bad.png"), picture(tmp_path / "good.png")]) == 0
    printed = capsys.readouterr()
    first, second = (json.loads(line) for line in printed.out.splitlines())
    expected = f"The radiograph could not be read ({failure.__name__})."
    assert first["reason"] == (expected if failure is not Refusal else "It has a reason.")
    assert first["accepted"] is False and first["findings"] is None and set(first["models"]) == {"findings", "organs"}
    assert second["reason"] == "A stub read it."
    assert "Doe" not in printed.out + printed.err


@pytest.mark.parametrize("as_json", [True, False])
def test_a_name_that_is_not_text_is_printed(
    as_json: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], stubbed: Callable[..., None]
) -> None:
    stubbed()
    path = picture(tmp_path / os.fsdecode(b"Thorax-\xfc.png"))
    assert main(["read", *(["--json"] if as_json else []), path]) == 0
    shown = capsys.readouterr().out
    assert shown.isascii() and "Thorax-\\udcfc.png" in shown
    assert not as_json or json.loads(shown)["path"] == path


def test_pictures_of_inputs_of_one_name_are_numbered_and_the_name_is_not_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, stubbed: Callable[..., None]
) -> None:
    stubbed()
    paths = [picture(tmp_path / folder / "Doe.png") for folder in "abc"]
    assert main(["read", *paths, "--masks", str(tmp_path / "masks")]) == 0
    assert {path.name for path in (tmp_path / "masks").iterdir()} == {"Doe.png", "Doe-2.png", "Doe-3.png"}
    assert "a number was appended" in caplog.text and "Doe" not in caplog.text


def test_masks_that_cannot_be_written_are_one_line_without_a_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, stubbed: Callable[..., None]
) -> None:
    stubbed()
    path = picture(tmp_path / "Doe.png")
    (tmp_path / "masks" / "Doe.png").mkdir(parents=True)
    assert main(["read", path, "--masks", str(tmp_path / "masks")]) == 1
    assert caplog.messages == ["The masks or heat maps cannot be written: Is a directory."]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = picture(tmp_path / "chest.png")
    assert main(["read", path, "--masks", f"{path}/masks"]) == 1
    assert caplog.messages == [f"{path}/masks: Not a directory."]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KeyError("Doe^Jane"), "The command failed (KeyError)."),
        (RuntimeError("Doe^Jane"), "The command failed (RuntimeError)."),
        (MemoryError(), "The command failed (MemoryError)."),
        (ValueError(), "The command failed (ValueError)."),
        (Refusal("Train one\nfirst."), "Train one first."),
        (PermissionError(13, "Permission denied", "/data"), "/data: Permission denied."),
        (OSError(28, "No space left on device"), "Writing the results: No space left on device."),
        (KeyboardInterrupt(), "Stopped."),
    ],
    ids=repr,
)
def test_whatever_fails_is_one_line(
    error: BaseException, line: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr("lung_models.evaluate.evidence", fail)
    assert main(["evaluate", "findings", "--data", "/nowhere"]) == 1
    assert caplog.messages == [line]


def test_training_that_is_stopped_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stop(*_: object) -> None:
        raise Stopped("stopped in epoch 1 of 2")

    monkeypatch.setattr("lung_models.training.making.make_findings", stop)
    recipe = next(iter(recipes.FINDINGS_RECIPES))
    assert main(["train", "findings", "--data", str(tmp_path), "--recipe", recipe, "--out", str(tmp_path)]) == 1
    assert caplog.messages == ["Stopped."]


def test_the_help_says_which_picture_the_masks_lie_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["read", "--help"])
    assert " ".join(capsys.readouterr().out.split()).count("of the upright picture, as displayed") == 2


def test_a_full_disk_is_one_line_and_no_traceback() -> None:
    command = [sys.executable, "-m", "lung_models", "models", "list"]
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=ROOT, check=False)
    assert (ended.returncode, ended.stderr) == (1, "Writing the results: No space left on device.\n")


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", str(sample_file("RG1_UNCR.dcm")), str(sample_file("RG3_UNCR.dcm"))]) == 0
    shown = capsys.readouterr().out
    assert "Pleural Effusion" in shown and "Cardiothoracic ratio 0." in shown and "not read:" in shown
    assert "from" not in shown
    assert main(["read", "--average", str(sample_file("RG1_UNCR.dcm"))]) == 0
    assert len(re.findall(r" from +\d+\.\d% to +\d+\.\d% ", capsys.readouterr().out)) == len(KEYS)


def test_without_weights_there_is_no_score(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "--json", str(sample_file("RG1_UNCR.dcm")), "--weights", str(tmp_path)]) == 1
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("arguments", [["read"], ["nonsense"], [], ["read", "x.dcm", "--device", "abacus"]])
def test_wrong_usage_exits_with_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2


def test_an_unknown_recipe_is_wrong_usage(tmp_path: Path) -> None:
    arguments = ["--data", str(tmp_path), "--recipe", "nonsense", "--out", str(tmp_path)]
    assert main(["train", "findings", *arguments]) == 2


def test_data_that_is_not_there_is_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert main(["evaluate", "findings", "--data", str(tmp_path)]) == 1
    assert "labels.csv is missing" in caplog.text and len(caplog.messages) == 1


def test_models_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert len([line for line in listed if line.startswith("*")]) == 2
    version = next(line for line in listed if line.startswith("* findings")).split()[2]
    assert main(["models", "show", version]) == 0
    assert json.loads(capsys.readouterr().out)["version"] == version
    assert main(["models", "show", "nonsense"]) == 1


def test_as_a_program_standard_output_holds_json_and_nothing_else() -> None:
    command = [sys.executable, "-m", "lung_models", "read", "--json", str(sample_file("RG1_UNCR.dcm")), "/nowhere"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert ended.returncode == 0
    assert [json.loads(line)["accepted"] for line in ended.stdout.splitlines()] == [True, False]
    assert "Traceback" not in ended.stderr and "Warning" not in ended.stderr
