"""The version that a fine-tuning writes: its card names parent, set, recipe, seed and figures, and holds no images."""

import shutil
from datetime import UTC, datetime
from typing import Any

import numpy as np
from torch import nn

from lung_models import anatomy
from lung_models.findings import BY_KEY
from lung_models.training.head import FittedHead
from lung_models.training.making import commit
from lung_models.training.tuning.compare import verdict
from lung_models.training.tuning.material import TuningRun, outlined
from lung_models.training.tuning.request import Request
from lung_models.weights import Card, WeightStore

KEPT_FULL = ("presentation", "typical", "whitening")  # tensors kept in single precision, as the shipped versions do
NOT_INHERITED = (
    "network",
    "version",
    "architecture",
    "sha256",
    "companions",
    "where_it_looked",
    "cardiothoracic_ratios",
)
"""What a parent's card says of its own weights only."""
PROTOCOL = "held-out part of the labelled set"
FIGURE_NAMES = {
    "auroc": "AUROC",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "sensitivity": "Sensitivity",
    "specificity": "Specificity",
    "calibration_error": "Expected calibration error",
    "dice": "Dice",
    "cardiothoracic_ratio_error": "Cardiothoracic ratio, mean absolute error",
}
TUNED_LIMIT = (
    "Fine-tuned on a labelled set of the user's own: its figures hold for radiographs like those of that set. The "
    "intended use and the limits of the parent hold too; what the parent's card measured was not measured again."
)


def findings_card(
    request: Request,
    run: TuningRun,
    base: Card,
    head: FittedHead,
    heat_scale: float,
    compared: dict[str, Any],
    forgotten: dict[str, Any] | None,
) -> dict[str, Any]:
    """The card of a fine-tuned classifier."""
    seen = len(run.seen)
    return {
        **_common(request, run, base, compared),
        "calibration": head.calibration.to_json(),
        "heat_scale": heat_scale,
        "head_fitted_on": {
            "images": seen,
            "fingerprint": run.labelled.sha256[:16],
            "statement": f"Learnt from the parts to learn from and to calibrate on, {seen} radiographs; the figures "
            "come from the held-out part.",
        },
        "forgetting": forgotten,
    }


def organs_card(
    request: Request, run: TuningRun, base: Card, compared: dict[str, Any], forgotten: dict[str, Any] | None
) -> dict[str, Any]:
    """The card of a fine-tuned OrganNet."""
    return {**_common(request, run, base, compared), "forgetting": forgotten}


def save(run: TuningRun, base: Card, network: nn.Module, card: dict[str, Any], request: Request) -> Card:
    """Write the version under a name that is free."""
    name = free_name(run.out, base.network, f"{family(base)}-{request.recipe}-{run.labelled.sha256[:6]}")
    return run.out.save(base.network, name, network, card, KEPT_FULL)


def family(card: Card) -> str:
    """Name of the shipped version that a line of fine-tuned ones began with."""
    return str(card.data.get("family", card.version))


def free_name(store: WeightStore, network: str, name: str) -> str:
    """The name, with a number when it is taken."""
    taken = {card.version for card in store.versions(network)}
    number, free = 2, name
    while free in taken:
        free, number = f"{name}-{number}", number + 1
    return free


def bring_organs_along(run: TuningRun, organs: Card, written: Card) -> None:
    """Make a new store whole: the organ model that a classifier was calibrated with, and what reads by default."""
    if run.out.root.resolve() == run.store.root.resolve():
        return
    source, target = (store.root / "organs" / organs.version for store in (run.store, run.out))
    if not (target / "card.json").is_file():
        shutil.copytree(source, target, dirs_exist_ok=True)
    for network, version in (("organs", organs.version), (written.network, written.version)):
        if run.out.active(network) is None:
            run.out.activate(network, version)


def rebase_findings(run: TuningRun, before: Card, after: Card) -> Card | None:
    """The active classifier, bound to a new organ model: its measurements mean the same again.

    Its calibration rests on measurements of the organs in standard deviations from their mean. On the parts of the set
    that are not held out both organ models measure; mean and deviation of each quantity are moved by what differs.
    None where the active classifier does not rest on the parent.
    """
    active = run.store.active("findings")
    if active is None:
        return None
    findings = run.store.card("findings", active)
    if findings.data["geometry"]["organs_sha256"] != before.stamp.sha256:
        return None
    old, new = (_geometry(run, store, card) for store, card in ((run.store, before), (run.out, after)))
    calibration = dict(findings.data["calibration"])
    mean, scale = np.array(calibration["geometry_mean"]), np.array(calibration["geometry_scale"])
    stretch = np.clip(np.nanstd(old, axis=0) / (np.nanstd(new, axis=0) + 1e-9), 0.5, 2.0)
    shift = np.nanmean(old, axis=0) - stretch * np.nanmean(new, axis=0)
    calibration["geometry_mean"] = ((mean - shift) / stretch).tolist()
    calibration["geometry_scale"] = (scale / stretch).tolist()
    data = {key: value for key, value in findings.data.items() if key not in ("version", "network", "sha256")}
    card = {
        **data,
        "summary": f"{findings.version}, bound to the organ model {after.version}: the same weights, with the "
        "measurements of the organs moved to that model's.",
        "parent": findings.version,
        "family": family(findings),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "calibration": calibration,
        "geometry": {
            **findings.data["geometry"],
            "organs_version": after.version,
            "organs_sha256": after.stamp.sha256,
        },
        "limits": [
            "The figures were measured with the parent's organ model and not again.",
            *findings.data["limits"],
        ],
    }
    name = free_name(run.out, "findings", f"{family(findings)}-with-{after.version}")
    companions = {one: run.store.load(findings, one) for one in findings.companions}
    return run.out.save("findings", name, run.store.load(findings), card, KEPT_FULL, companions)


def _geometry(run: TuningRun, store: WeightStore, card: Card) -> np.ndarray:
    found = outlined(store.load(card), card.input_size, run, run.seen)
    return np.stack([anatomy.geometry(one) for _, one in found])


def result(
    run: TuningRun, base: Card, written: Card, compared: dict[str, Any], forgotten: dict[str, Any] | None
) -> dict[str, Any]:
    """What the command line prints, see DESIGN's contract."""
    return {
        "version": written.version,
        "parent": base.version,
        "images": run.labelled.counts(),
        "problems": run.labelled.about["problems"],
        "warnings": run.labelled.about["warnings"],
        **compared,
        "verdicts": {name: verdict(name, one) for name, one in compared["difference"].items()},
        "forgetting": forgotten,
    }


def _common(request: Request, run: TuningRun, base: Card, compared: dict[str, Any]) -> dict[str, Any]:
    """What the cards of fine-tuned versions share."""
    counts = run.labelled.counts()
    inherited = {key: value for key, value in base.data.items() if key not in NOT_INHERITED}
    of_set = {key: run.labelled.about[key] for key in ("layout", "split", "sha256")}
    return {
        **inherited,
        "summary": f"{base.version}, fine-tuned ({request.recipe}) on {len(run.labelled)} labelled radiographs.",
        "parent": base.version,
        "family": family(base),
        "metrics": _figures(compared["after"]),
        "labelled_set": {**of_set, "images": counts},
        "comparison": compared,
        "recipe": {"name": request.recipe, **request.to_json()},
        "git_commit": commit(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "limits": [TUNED_LIMIT, *(limit for limit in base.data["limits"] if limit != TUNED_LIMIT)],
        "training_data": [
            *base.data["training_data"],
            {
                "name": f"Labelled set {run.labelled.sha256[:16]}",
                "images": counts["train"] + counts["validation"],
                "use": f"fine-tuning ({request.recipe})",
                "terms": "The user's own.",
                "citation": "",
            },
        ],
    }


def _figures(after: dict[str, Any]) -> list[dict[str, Any]]:
    """Figures as every card has them."""
    figures = []
    for name, one in after.items():
        title = next(start for start in sorted(FIGURE_NAMES, key=len, reverse=True) if name.startswith(start))
        of_what = name.removeprefix(title).lstrip("_")
        group = BY_KEY[of_what].name if of_what in BY_KEY else of_what.replace("_", " ")
        group = {"mean": "mean of the findings that can be told", "": "primary, radiographs with one label"}.get(
            group, group
        )
        low, high = one["ci95"]
        figures.append(
            {
                "name": FIGURE_NAMES[title],
                "group": "all" if title == "cardiothoracic_ratio_error" else group,
                "value": one["value"],
                "low": low,
                "high": high,
                "n": one["n"],
                "unit": "",
                "protocol": PROTOCOL,
            }
        )
    return figures
