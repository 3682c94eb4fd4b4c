"""The house stays in shape: who may know whom, and what is spelt in one place only."""

import ast
from pathlib import Path

from lung_models.findings import FINDINGS
from tests.conftest import ROOT

LAYERS: tuple[tuple[str, ...], ...] = (
    ("findings", "radiograph"),
    ("access",),
    ("reading",),
    ("decode", "preprocess", "networks", "samples"),
    ("heatmap", "anatomy", "correction", "gate", "calibration", "weights", "runtime", "windows", "inputs", "figures"),
    ("reader", "opened", "intake", "batch"),
    ("evaluate", "training", "records", "exports", "pacs", "promotion"),
    ("documents",),
    ("commands",),
    ("__main__",),
)
"""From the bottom up; a module may know its own layer and those below it."""


def imported(path: Path) -> set[str]:
    """Every module that a file imports, at the top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def layer(module: str) -> int:
    return next(level for level, modules in enumerate(LAYERS) if module in modules)


def test_imports_run_one_way() -> None:
    wrong = []
    for path in sorted((ROOT / "lung_models").rglob("*.py")):
        own = path.relative_to(ROOT / "lung_models").parts[0].removesuffix(".py")
        if own == "__init__":
            continue
        for name in imported(path):
            parts = name.split(".")
            if parts[0] == "pages":
                wrong.append(f"{path}: the library must not know the pages")
            known = {module for modules in LAYERS for module in modules}
            if parts[0] == "lung_models" and len(parts) > 1 and parts[1] in known and layer(parts[1]) > layer(own):
                wrong.append(f"{own} imports {parts[1]}")
    assert wrong == []


def test_every_module_has_its_layer() -> None:
    found = {
        path.name.removesuffix(".py") for path in (ROOT / "lung_models").iterdir() if not path.name.startswith("__")
    }
    assert found | {"__main__"} == {module for modules in LAYERS for module in modules}


def test_the_library_knows_no_streamlit() -> None:
    for path in (ROOT / "lung_models").rglob("*.py"):
        assert not any(name.split(".")[0] == "streamlit" for name in imported(path)), path


def test_the_findings_are_spelt_in_one_place() -> None:
    names = {finding.name for finding in FINDINGS if " " in finding.name}
    for path in [*(ROOT / "lung_models").rglob("*.py"), *(ROOT / "pages").rglob("*.py")]:
        if path.name == "findings.py" and path.parent.name == "lung_models":
            continue
        constants = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
        assert not names & {value for value in constants if isinstance(value, str)}, path


def test_modules_read_in_one_sitting() -> None:
    for folder in ("lung_models", "pages"):
        for path in (ROOT / folder).rglob("*.py"):
            assert len(path.read_text().splitlines()) <= 300, path


def test_weights_are_small_safetensors_and_nothing_else() -> None:
    kinds = {path.name for path in (ROOT / "weights").rglob("*") if path.is_file()}
    companions = {f"without_{source}.safetensors" for source in ("jsrt", "shenzhen", "wingspan")}
    assert kinds == {"active.json", "card.json", "model.safetensors", "text_mined.safetensors"} | companions
    for path in (ROOT / "weights").rglob("*.safetensors"):
        assert path.stat().st_size < 50 * 1024 * 1024


def test_pages_reach_training_through_jobs_only() -> None:
    """What a page imports, and what that imports, at the top or in a function, trains nothing: jobs start processes."""
    allowed = {"lung_models.training", "lung_models.training.jobs", "lung_models.training.tuning.request"}
    allowed |= {"lung_models.training.tuning"}
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for folder in ("lung_models", "pages")
        for path in (ROOT / folder).rglob("*.py")
    }
    waiting, seen = [name for name in modules if name.startswith("pages")], set()
    while waiting:
        name = waiting.pop()
        if name in seen or name not in modules:
            continue
        seen.add(name)
        waiting += imported(modules[name])
    assert "lung_models.training.jobs" in seen
    assert {name for name in seen if name.startswith("lung_models.training")} <= allowed
    assert "accelerate" not in {one.split(".")[0] for name in seen for one in imported(modules[name])}
