"""torchxrayvision's DenseNet-121, added to the versions at a user's own wish: fetched, checked, calibrated, written.

It was trained on several times as many radiographs from more hospitals than the networks that ship, but could not be
fetched where those were made, so that it is left to whoever has internet and labelled radiographs. Four rules:

- Nothing is fetched but by ``models add``, which says beforehand what it fetches and from where. Reading never does.
- Nothing is read from a file before its SHA-256 is the published one, or the one that the user states.
- The network's own 18 outputs are dropped. A head for our six findings, its calibration and its operating points are
  fitted to the user's radiographs (:mod:`lung_models.training.head`), on which it is also scored, cross-validated.
- It is not made active. Whoever has read its figures may promote it.
"""

import contextlib
import hashlib
import importlib
import itertools
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from lung_models import anatomy, evaluate
from lung_models.evaluate.findings import seen
from lung_models.findings import FINDINGS
from lung_models.networks import XrvDenseNet
from lung_models.radiograph import Refusal
from lung_models.training import cards, making
from lung_models.training.findings import pooled_features
from lung_models.training.head import FOLDS, Design, LabelledFeatures, fit_head
from lung_models.training.labelled_set import FindingsSet, Progress, fingerprint, load_findings, silent
from lung_models.training.tensors import stored_tensors
from lung_models.weights import Card, WeightStore

PACKAGE = "torchxrayvision==1.5.7"
PUBLISHED = "densenet121-res224-all"  # torchxrayvision's name of the weights
SHA256 = "56524913dd16a906422e8d8b66a7a5c46be1d82eb7ac012d8103776f1aa68899"
"""Of the published file, 28,382,008 bytes. Its authors state it in their repository on Hugging Face
(torchxrayvision/densenet121-res224-all, commit 20d9a08, model.pt); several projects that use the file of the same size
from release v1 on GitHub, which is the one that is fetched, state the same."""
VERSION = "xrv-densenet121"
SIZE = 224  # side of the network's input, in pixels; what it was trained with
FEWEST = FOLDS  # patients with and without each finding: one for every fold of the cross-validation

SUMMARY = (
    "DenseNet-121 of torchxrayvision (densenet121-res224-all), features as published; head, calibration and operating "
    "points fitted to labelled radiographs on this machine."
)
CITATION = "Cohen et al., TorchXRayVision: A library of chest X-ray datasets and models, MIDL 2022."
TERMS = (
    "For research and education. Code and weights of torchxrayvision are published under the Apache License 2.0; the "
    "terms of several collections that the weights were trained on do not allow clinical or commercial use. The terms "
    "of the radiographs that the head was fitted to are yours to know."
)
TRAINING_DATA = [
    {"name": name, "terms": terms, "citation": citation, "use": "features, by the authors of torchxrayvision"}
    for name, terms, citation in (
        ("NIH ChestX-ray14", "No restriction on use.", "Wang et al., CVPR 2017."),
        ("Radiologists' labels for NIH ChestX-ray14 (Google)", "See the publication.", "Majkowska et al. 2020."),
        ("PadChest", "Research only, under a data use agreement.", "Bustos et al. 2020."),
        ("CheXpert", "Research only, not commercial, under Stanford's agreement.", "Irvin et al., AAAI 2019."),
        ("MIMIC-CXR", "Credentialed access, under PhysioNet's agreement.", "Johnson et al. 2019."),
        ("Open-i (Indiana University)", "CC BY-NC-ND 4.0.", "Demner-Fushman et al. 2016."),
        ("RSNA Pneumonia Detection Challenge", "Academic and not commercial.", "Shih et al. 2019."),
    )
]
LIMITS = [
    "The download itself was not tested: no machine that built this had internet; the loading path was tested with "
    "random weights of this architecture.",
    "It was trained on NIH ChestX-ray14 and on Google's labels for it: on radiographs from there its figures flatter "
    "it.",
    "It was trained on another grey scale and cut than the standardised square that it is given here; the head is "
    "fitted to the latter.",
    "Validated on the labelled radiographs that its head was fitted to and on no others: elsewhere the probabilities "
    "may be off.",
    "Six findings only: of the 18 that the published network scores the others are dropped.",
    "The rarer a finding was in validation, the wider its interval.",
    "The probability also rests on the cardiothoracic ratio and the areas of the outlined organs, that of No Finding "
    "on the probabilities of the other five instead; the heat map explains the network's part only.",
    "Lateral views and children were not tested.",
]


@dataclass(frozen=True)
class Published:
    """A file of weights whose hash is as it should be.

    Args:
        content: The file.
        sha256: Its hash.
    """

    content: bytes
    sha256: str


def add(
    data: Path, store: WeightStore, file: Path | None = None, sha256: str | None = None, progress: Progress = silent
) -> Card:
    """Add a version that was calibrated on ``val`` of a labelled set; it is not made active.

    Args:
        data: Folder in the layout of docs/training.md.
        store: Where the version is written; its active organ network measures the geometry.
        file: The published weights, where the user has them already; None to have torchxrayvision fetch them.
        sha256: Hash that the user states for the file; None for the published one.
        progress: Told of the radiographs done.

    Raises:
        Refusal: when the labels are too few, the weights cannot be had, or they are not what they should be.
        FileNotFoundError: when there is no labelled set, or no such file.
        ValueError: when the table of labels lacks a column.
    """
    labelled = load_findings(data, "val")
    check_enough(labelled)  # before anything is fetched
    organs_card = store.card("organs")
    published = checked(fetched() if file is None else file, sha256)
    return _calibrated(converted(published.content), published, organs_card, labelled, data, store, progress)


def check_enough(labelled: FindingsSet) -> None:
    """Refuse labels that a head cannot be fitted to and scored on."""
    for column, finding in enumerate(FINDINGS):
        for value, having in ((1, "with"), (0, "without")):
            patients = len(set(labelled.patients[labelled.labels[:, column] == value]))
            if patients < FEWEST:
                raise Refusal(
                    f"To calibrate, val needs at least {FEWEST} patients {having} {finding.name}: it has {patients}."
                )


def fetched() -> Path:
    """The published weights in torchxrayvision's own cache folder, fetched by it unless they are there.

    Raises:
        Refusal: when torchxrayvision is not installed, or fetching fails.
    """
    try:
        package = importlib.import_module("torchxrayvision")
    except ImportError as error:
        raise Refusal(
            f"torchxrayvision cannot be imported ({error.name} is missing): run `python -m pip install {PACKAGE}`, or "
            "pass the weights that you have with --file."
        ) from error
    address, folder = package.models.model_urls[PUBLISHED]["weights_url"], package.utils.get_cache_dir()
    print(f"Fetching {PUBLISHED} (28 MB) from {address} into {folder}, unless it is there.", file=sys.stderr)
    try:
        with contextlib.redirect_stdout(sys.stderr):  # where it shows its progress
            return Path(package.models.get_weights(PUBLISHED))
    except Exception as error:  # of whatever the transfer is made with
        raise Refusal(
            f"{PUBLISHED} could not be fetched ({type(error).__name__}): try again, or fetch {address} elsewhere and "
            "pass it with --file."
        ) from error


def checked(path: Path, sha256: str | None = None) -> Published:
    """A file's content, once its hash is the published one or the one stated. Nothing in it is interpreted.

    Raises:
        Refusal: when the hash is another one. To trust such a file is the user's decision, never made here.
    """
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if sha256 is not None and found != sha256:
        raise Refusal(f"{path} has the SHA-256 {found}, not the one stated: it was not opened.")
    if sha256 is None and found != SHA256:
        raise Refusal(
            f"{path} is not what torchxrayvision published (SHA-256 {SHA256}): it was not opened. Fetch it again; only "
            f"if you know where it comes from and trust it, repeat the command with --sha256 {found}"
        )
    return Published(content, found)


def converted(content: bytes) -> XrvDenseNet:
    """The network with the published features and a head of zeros, in evaluation mode.

    Raises:
        Refusal: when the file does not hold all tensors of a DenseNet-121 for grey pictures.
    """
    tensors = stored_tensors(content)
    network = XrvDenseNet()
    wanted = {name: value.shape for name, value in network.state_dict().items() if name.startswith("features.")}
    lacking = [name for name, shape in wanted.items() if name not in tensors or tensors[name].shape != shape]
    if lacking:
        raise Refusal(
            f"The file does not hold torchxrayvision's DenseNet-121: {len(lacking)} of {len(wanted)} tensors are "
            f"missing or of another shape ({lacking[0]})."
        )
    head = {"head.weight": torch.zeros_like(network.head.weight), "head.bias": torch.zeros_like(network.head.bias)}
    network.load_state_dict({name: tensors[name] for name in wanted} | head)
    return network.eval()


def _calibrated(
    network: XrvDenseNet,
    published: Published,
    organs_card: Card,
    labelled: FindingsSet,
    data: Path,
    store: WeightStore,
    progress: Progress,
) -> Card:
    """Fit head and calibration to labelled radiographs, score them by cross-validation, write the version."""
    organ_net = store.load(organs_card)
    images, geometry = seen(SIZE, organ_net, organs_card.input_size, labelled, progress, framed=False)
    frozen = LabelledFeatures(pooled_features(network, images), geometry, labelled.labels, labelled.patients)
    head = fit_head(frozen, Design(absence=True))
    network.head.weight.data, network.head.bias.data = torch.from_numpy(head.weight), torch.from_numpy(head.bias)
    card = {
        **_words(published, labelled),
        "framing": "whole",
        "calibration": head.calibration.to_json(),
        "geometry": {
            "quantities": list(anatomy.GEOMETRY),
            "organs_version": organs_card.version,
            "organs_sha256": organs_card.stamp.sha256,
        },
        "heat_scale": making.heat_scale(network, head, images, geometry),
        "head_fitted_on": {
            "images": len(labelled),
            "fingerprint": fingerprint(labelled.paths, labelled.labels),
            "statement": f"The head is fitted on all {len(labelled)} radiographs of val; the figures come from heads "
            "fitted anew on four fifths of its patients and applied to the other fifth.",
        },
    }
    version = _free_version(store)
    # In single precision as published: variances of so wide a range of grey values overflow half precision.
    full = ("features.", "head.")
    with TemporaryDirectory() as folder:  # scored as it will be kept, through what `evaluate` runs
        draft = WeightStore(Path(folder))
        (draft.root / "organs").symlink_to((store.root / "organs").resolve())
        evidence = evaluate.evidence(draft, draft.save("findings", version, network, card, full), data, progress)
    return store.save("findings", version, network, {**card, **evidence}, full)


def _words(published: Published, labelled: FindingsSet) -> dict[str, Any]:
    """What the card says of the weights, their origin and their limits."""
    how = {
        "recipe": {
            "name": "xrv",
            "seed": 0,
            "weights": PUBLISHED,
            "weights_sha256": published.sha256,
            "weights_as_published": published.sha256 == SHA256,
            "citation": CITATION,
        },
        "git_commit": making.commit(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    used = [*TRAINING_DATA, *cards.used(labelled.source, "head, calibration and operating points")]
    limits = list(LIMITS)
    if published.sha256 != SHA256:
        limits.insert(0, "The weights are not the published ones, but a file that was trusted by its stated hash.")
    return {**cards.card(SUMMARY, SIZE, [], how, used, limits), "terms": TERMS}


def _free_version(store: WeightStore) -> str:
    """The version's name, with a number when it was calibrated before."""
    taken = {card.version for card in store.versions("findings")}
    names = itertools.chain([VERSION], (f"{VERSION}-{number}" for number in itertools.count(2)))
    return next(name for name in names if name not in taken)
