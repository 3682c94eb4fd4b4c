"""``train``: reproduce the shipped weights by a named recipe, or fine-tune on a labelled set (quick, full)."""

import argparse
import json
import logging
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from lung_models.commands import report
from lung_models.weights import NETWORKS, WeightStore

if TYPE_CHECKING:
    from lung_models.training.trainer import Step

TUNING = ("quick", "full")

log = logging.getLogger("lung_models")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", shared: argparse.ArgumentParser) -> None:
    """Add ``train`` to the command line.

    Args:
        commands: Of the command line.
        shared: Options of every command.
    """
    train = commands.add_parser(
        "train", parents=[shared], help="fine-tune on a labelled set (quick, full), or reproduce the shipped weights"
    )
    train.add_argument("network", choices=NETWORKS)
    train.add_argument(
        "--data", type=Path, required=True, metavar="SET", help="a folder or a ZIP; for a named recipe a folder"
    )
    train.add_argument("--recipe", required=True, metavar="NAME", help="quick, full, or one of the shipped weights")
    train.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of versions to add to")
    train.add_argument("--base", metavar="VERSION", help="of quick and full: start from this version, not the active")
    train.add_argument("--seed", type=int, default=1, help="of quick and full (default: 1)")
    train.add_argument("--epochs", type=int, metavar="N", help="of quick and full: at most so many passes")
    train.add_argument(
        "--folders-complete", action="store_true", help="a class folder names all there is: other findings are absent"
    )
    train.add_argument(
        "--reference", type=Path, metavar="DIR", help="radiographs of the shipped figures, if you have them"
    )
    train.add_argument("--checkpoints", type=Path, metavar="DIR", help="training state (default: the cache folder)")
    train.add_argument("--json", action="store_true", help="of quick and full: one last line of JSON")
    train.set_defaults(run=_train)


def _train(options: argparse.Namespace) -> int:
    from lung_models.training.trainer import Stopped

    try:
        return _fine_tune(options) if options.recipe in TUNING else _reproduce(options)
    except Stopped:
        log.error("Stopped.")
        return 1


def _reproduce(options: argparse.Namespace) -> int:
    """A named recipe on a folder in the layout of shared/data."""
    from lung_models.training.making import Run, make_findings, make_organs
    from lung_models.training.recipes import FINDINGS_RECIPES, ORGANS_RECIPES

    recipes: dict[str, Any] = dict(FINDINGS_RECIPES if options.network == "findings" else ORGANS_RECIPES)
    if options.recipe not in recipes:
        known = ", ".join([*TUNING, *recipes])
        log.error("There is no recipe %s for %s. Known: %s.", options.recipe, options.network, known)
        return 2
    store = WeightStore(options.out)
    run = Run(options.data, store, _checkpoints(options), report, (show,))
    recipe = recipes[options.recipe]
    card = make_findings(recipe, run) if options.network == "findings" else make_organs(recipe, run)
    if store.active(options.network) is None:
        store.activate(options.network, card.version)
    print(f"{card.version} written to {options.out / options.network / card.version}")
    return 0


def _fine_tune(options: argparse.Namespace) -> int:
    """Quick or full, on a set in any of the layouts of :mod:`lung_models.intake.layouts`.

    Every process of a distributed run brings the set in for itself; only the first prints and writes.
    """
    from lung_models.access import local_person
    from lung_models.evaluate.gate import gate_of
    from lung_models.intake.bring_in import bring_in
    from lung_models.training.tuning.finetune import fine_tune
    from lung_models.training.tuning.material import TuningRun
    from lung_models.training.tuning.request import Request

    writes = int(os.environ.get("RANK", "0")) == 0
    out = WeightStore(options.out)
    store = out if out.versions(options.network) else WeightStore(options.weights)
    organs = store.card("organs")
    request = Request(options.network, options.recipe, options.base, options.seed, options.epochs)
    store.card(options.network, options.base)  # a version that is not there is said before anything is read
    checkpoints = _checkpoints(options)
    checkpoints.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="set-", dir=checkpoints) as sets:
        labelled = bring_in(
            options.data,
            options.network,
            gate_of(store, organs),
            organs.stamp.sha256,
            Path(sets),
            report if writes else _say_nothing,
            by=local_person(),
            folders_complete=options.folders_complete,
        )
        for warning in labelled.about["warnings"] if writes else ():
            log.warning("%s", warning)
        run = TuningRun(
            labelled,
            store,
            out,
            checkpoints / f"{labelled.sha256[:16]}-{options.recipe}",
            options.reference,
            report if writes else _say_nothing,
            (show,),
            writes=writes,
        )
        result = fine_tune(request, run)
    if result is not None:
        print(json.dumps(result) if options.json else summary(result))
    return 0


def summary(result: dict[str, Any]) -> str:
    """A result for people."""
    counts = ", ".join(f"{count} {part.replace('_', ' ')}" for part, count in result["images"].items())
    lines = [f"{result['version']}, from {result['parent']}, in {result['seconds']:.0f} s ({counts})"]
    for name, before in result["before"].items():
        after, difference = result["after"][name], result["difference"][name]
        low, high = difference["ci95"]
        lines.append(
            f"  {name:<38} {before['value']:6.3f} -> {after['value']:6.3f}  difference {difference['value']:+.3f} "
            f"[{low:+.3f}, {high:+.3f}] n={before['n']}  {result['verdicts'][name]}"
        )
    lines += [f"  left out: {problem['file']}: {problem['problem']}" for problem in result["problems"]]
    return "\n".join(lines)


def show(step: "Step") -> None:
    """Tell now and then how far a training is."""
    epoch = step.epoch + 1
    if step.validation is not None:
        log.info("epoch %d, validation %.4f", epoch, step.validation)
    elif step.step % 10 == 0 or step.step == step.steps:
        speed = step.images_per_second
        log.info("epoch %d, step %d/%d, loss %.4f, %.0f images/s", epoch, step.step, step.steps, step.loss, speed)


def _checkpoints(options: argparse.Namespace) -> Path:
    from lung_models.runtime import cache_folder

    return Path(options.checkpoints or cache_folder() / "training" / options.network)


def _say_nothing(done: int, of: int, what: str) -> None:
    """A progress of the processes that do not write."""
