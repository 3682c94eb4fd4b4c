"""Which version reads changes with a reason, as a pair, all at once, and back."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lung_models import promotion
from lung_models.__main__ import main
from lung_models.access import Forbidden, Person, local_person
from lung_models.decode import decode
from lung_models.reader import Reader
from lung_models.records import audit
from lung_models.records.database import Database
from lung_models.weights import NoWeights, WeightStore
from tests.conftest import ROOT

ADMIN = local_person()


@pytest.fixture
def store(tmp_path: Path) -> WeightStore:
    """All shipped versions, with no history."""
    root = tmp_path / "weights"
    shutil.copytree(ROOT / "weights", root)
    shipped = WeightStore(root)
    active = {network: shipped.active(network) for network in ("findings", "organs")}
    shipped.replace_pointer(active)
    return shipped


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Records of one test."""
    monkeypatch.setenv("LUNGS_DATA", str(tmp_path / "data"))
    return Database()


def other(store: WeightStore, network: str = "findings") -> str:
    """A version that does not read now and brings another organ model."""
    active = store.card("findings")
    bound_to = active.data["geometry"]["organs_sha256"]
    found = [c for c in store.versions("findings") if c.data["geometry"]["organs_sha256"] != bound_to]
    return found[-1].version if network == "findings" else str(found[-1].data["geometry"]["organs_version"])


def test_a_classifier_brings_its_organ_model_and_the_next_reading_uses_both(
    store: WeightStore, database: Database, chest_file: Path
) -> None:
    before = {network: store.active(network) for network in ("findings", "organs")}
    radiograph = decode(chest_file.read_bytes(), chest_file.name)
    earlier = Reader.load(store.root, device="cpu").read(radiograph)
    version = other(store)
    change = promotion.promote(store, "findings", version, "  it reads\nour films better ", by=ADMIN, database=database)
    assert change.reason == "it reads our films better" and change.before == before
    assert store.active("findings") == version
    assert store.active("organs") == store.card("findings", version).data["geometry"]["organs_version"]
    later = Reader.load(store.root, device="cpu").read(radiograph)
    assert later.models["findings"].version == version
    assert earlier.models["findings"].version == before["findings"], "a reading that was made does not change"
    undone = promotion.rollback(store, by=ADMIN, database=database)
    assert {network: store.active(network) for network in before} == before == undone.after
    assert [change.undone for change in promotion.history(store)] == [True, False]
    with pytest.raises(ValueError, match="nothing to roll back"):
        promotion.rollback(store, by=ADMIN, database=database)


def test_an_organ_model_brings_a_classifier_calibrated_with_it(store: WeightStore, database: Database) -> None:
    version = other(store, "organs")
    promotion.promote(store, "organs", version, "better outlines", by=ADMIN, database=database)
    assert store.active("organs") == version
    bound = store.card("findings").data["geometry"]
    assert bound["organs_sha256"] == store.card("organs").stamp.sha256
    for path in (store.root / "findings").glob("*/card.json"):
        card = json.loads(path.read_text())
        card["geometry"]["organs_sha256"] = "0" * 64
        path.write_text(json.dumps(card))
    with pytest.raises(NoWeights, match="No classifier here was calibrated with"):
        promotion.promote(store, "organs", version, "again", by=ADMIN, database=database)


def test_two_promotions_are_rolled_back_one_after_the_other(store: WeightStore, database: Database) -> None:
    first, versions = store.active("findings"), [card.version for card in store.versions("findings")]
    second, third = [version for version in versions if version != first][:2]
    promotion.promote(store, "findings", second, "one", by=ADMIN, database=database)
    promotion.promote(store, "findings", third, "two", by=ADMIN, database=database)
    assert promotion.rollback(store, by=ADMIN, database=database).after["findings"] == second
    assert promotion.rollback(store, by=ADMIN, database=database).after["findings"] == first


def test_no_reason_no_promotion(store: WeightStore, database: Database) -> None:
    before = store.active("findings")
    with pytest.raises(ValueError, match="Give a reason"):
        promotion.promote(store, "findings", other(store), "  ", by=ADMIN, database=database)
    assert store.active("findings") == before


def test_weights_that_fail_their_check_are_never_made_active(store: WeightStore, database: Database) -> None:
    version, before = other(store), store.active("findings")
    (store.root / "findings" / version / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(NoWeights, match="not the ones on its card"):
        promotion.promote(store, "findings", version, "a reason", by=ADMIN, database=database)
    assert store.active("findings") == before


def test_a_kill_at_any_moment_leaves_the_old_or_the_new_pair(store: WeightStore, database: Database) -> None:
    """A process promotes back and forth and is killed while it does, several times over."""
    program = (
        "import sys; from pathlib import Path; from lung_models import promotion; "
        "from lung_models.weights import WeightStore\n"
        "store = WeightStore(Path(sys.argv[1])); store.load = lambda card: None\n"
        "from lung_models.access import local_person; from lung_models.records.database import Database\n"
        "by, database = local_person(), Database()\n"
        "while True:\n"
        "    for version in sys.argv[2:]:\n"
        "        promotion.promote(store, 'findings', version, 'to and fro', by=by, database=database)\n"
        "        print(version, flush=True)\n"
    )
    versions = [str(store.active("findings")), other(store)]
    for lines in (1, 2, 5, 9):
        command = [sys.executable, "-c", program, str(store.root), *versions]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert process.stdout is not None
        for _ in range(lines):
            process.stdout.readline()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        pair = promotion.together(store, store.card("findings"))
        assert pair["findings"] in versions and store.active("organs") == pair["organs"]
        store.replace_pointer({network: store.active(network) for network in pair})


def test_the_command_line(store: WeightStore, database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    version, before, where = other(store), store.active("findings"), ["--weights", str(store.root)]
    with pytest.raises(SystemExit):
        main(["models", "promote", version, *where])
    assert main(["models", "promote", version, "--reason", "better here", *where]) == 0
    assert f"{version} reads the findings now; before: {before}" in capsys.readouterr().out
    assert main(["models", "rollback", *where]) == 0
    assert store.active("findings") == before
    assert main(["models", "rollback", *where]) == 1


def test_only_an_admin_may_and_what_was_done_is_recorded(store: WeightStore, database: Database) -> None:
    version, before = other(store), store.active("findings")
    for role in ("reader", "trainer"):
        with pytest.raises(Forbidden, match="Only an admin may do this"):
            promotion.promote(store, "findings", version, "why not", by=Person("eve", role), database=database)
        with pytest.raises(Forbidden):
            promotion.rollback(store, by=Person("eve", role), database=database)
    assert store.active("findings") == before and list(audit.export(database)) == []
    promotion.promote(store, "findings", version, "better", by=Person("ada", "admin"), database=database)
    promotion.rollback(store, by=Person("ada", "admin"), database=database)
    assert [(row["by"], row["action"], row["detail"]) for row in audit.export(database)] == [
        ("ada", "promote", "better"),
        ("ada", "roll back", "better"),
    ]
    assert {change.by for change in promotion.history(store)} == {"ada"}
