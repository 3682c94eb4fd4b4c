"""From a radiograph to a reading: the whole pipeline on one screen. Start here.

A radiograph is outlined (OrganNet), checked (the gate), scored (FindingsNet or any other classifier), calibrated,
explained (Grad-CAM) and measured; see :class:`lung_models.reading.Reading` for what comes back.

    reader = Reader.load()
    reading = reader.read(decode(Path("study.dcm").read_bytes(), "study.dcm"))
"""

import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lung_models import anatomy as organs
from lung_models import gate, heatmap, runtime
from lung_models.calibration import Calibration
from lung_models.findings import KEYS
from lung_models.preprocess import VIEWS, WHOLE, network_input, views
from lung_models.radiograph import Radiograph, Refusal
from lung_models.reading import Anatomy, FindingReading, ModelStamp, Reading
from lung_models.weights import DEFAULT_ROOT, Card, NoWeights, WeightStore


@dataclass(frozen=True)
class Reader:
    """Reads radiographs with one version of each network; safe to share between threads.

    Args:
        findings_net: The classifier, ready to run.
        findings_card: Its card.
        head_weight: float32 (6, channels), the weight of its linear head.
        calibration: Its calibration and operating points.
        organ_net: The organ network, ready to run.
        organs_card: Its card.
    """

    findings_net: runtime.Runtime
    findings_card: Card
    head_weight: np.ndarray
    calibration: Calibration
    organ_net: runtime.Runtime
    organs_card: Card

    @classmethod
    def load(
        cls,
        weights_root: Path = DEFAULT_ROOT,
        device: runtime.Device = "auto",
        findings_version: str | None = None,
        organs_version: str | None = None,
    ) -> "Reader":
        """Load the active versions, or the named ones; takes seconds.

        A findings version that is named brings the organ model it was calibrated with, unless that is named too.

        Raises:
            NoWeights: when a version is missing, fails its check, or was calibrated with another organ model.
            ValueError: when the device is not there.
        """
        store = WeightStore(weights_root)
        findings_card = store.card("findings", findings_version)
        if findings_version is not None and organs_version is None:
            organs_version = findings_card.data["geometry"]["organs_version"]
        organs_card = store.card("organs", organs_version)
        _check_they_belong_together(findings_card, organs_card)
        findings_net, organ_net = store.load(findings_card), store.load(organs_card)
        head = findings_net.get_parameter("head.weight")
        return cls(
            runtime.start(findings_net, findings_card.input_size, findings_card.stamp.sha256, device),
            findings_card,
            head.detach().cpu().numpy().copy(),
            Calibration.from_json(findings_card.data["calibration"]),
            runtime.start(organ_net, organs_card.input_size, organs_card.stamp.sha256, device),
            organs_card,
        )

    @property
    def device(self) -> str:
        """Where the networks run, for people."""
        return self.findings_net.device

    @property
    def stamps(self) -> dict[str, ModelStamp]:
        """Which weights read, by network."""
        return {"findings": self.findings_card.stamp, "organs": self.organs_card.stamp}

    @property
    def heat_unit(self) -> str:
        """What 1.0 on the heat maps' scale means, and why a map may end at an edge."""
        scale = self.findings_card.data["heat_scale"]
        unit = f"1.0 = a contribution of {scale:.2f} to the finding's log-odds before calibration"
        edge = ". The network sees a frame around lungs and heart only: the map ends at its edge"
        return unit + (edge if self.findings_card.looks_at_organs else "")

    def read(self, radiograph: Radiograph, decode_milliseconds: float = 0.0, *, averaged: bool = False) -> Reading:
        """Read one radiograph.

        Averaged, each probability is the mean of the calibrated ones of ten views (:func:`preprocess.views`), with
        their spread; calls and ``primary`` follow from the mean. The organs are outlined and measured once, and the
        heat map is that of the first view, as ever. Calibration and operating points were fitted to single views.

        Args:
            radiograph: What :func:`lung_models.decode.decode` returned.
            decode_milliseconds: How long that took, to be passed on.
            averaged: Whether the classifier is to look ten times, in one batch.

        Returns:
            The reading; refused, with a reason and no score, when the gate says so.
        """
        clock = Clock(decode_milliseconds)
        verdict = self.gate.judge(radiograph)
        clock.lap("organs")
        if verdict.reason is not None or verdict.anatomy is None:
            return self._without_score(radiograph, verdict.reason, clock)
        outlined = verdict.anatomy
        findings = self._score(radiograph, outlined, averaged)
        clock.lap("findings")
        return Reading(
            radiograph=radiograph,
            accepted=True,
            reason=None,
            primary=max(findings, key=lambda one: one.probability).key,
            findings=findings,
            anatomy=outlined,
            models=self.stamps,
            device=self.device,
            milliseconds=clock.total(),
            heat_unit=self.heat_unit,
            heat_tested=bool(self.findings_card.heat_checked),
            views=VIEWS if averaged else 1,
        )

    @property
    def gate(self) -> gate.Gate:
        """Outlines the organs and says whether there is to be a score."""
        limit = float(self.organs_card.data["gate"]["distance_limit"])
        return gate.Gate(self.organ_net, self.organs_card.input_size, limit)

    def _score(self, radiograph: Radiograph, outlined: Anatomy, averaged: bool) -> tuple[FindingReading, ...]:
        """The six findings with their heat maps, from one forward pass."""
        frame = organs.frame(outlined) if self.findings_card.looks_at_organs else WHOLE
        pixels, size = radiograph.pixels, self.findings_card.input_size
        images = views(pixels, size, frame) if averaged else network_input(pixels, size, frame)[np.newaxis]
        logits, features = self.findings_net.run(images)
        probabilities = self.calibration.probabilities(logits, organs.geometry(outlined)[np.newaxis])
        if not np.isfinite(probabilities).all():
            raise Refusal("The network's output is not a number: no score is given. Try --device cpu.")
        heat = heatmap.closed_form(features[0], self.head_weight)
        heat = heatmap.on_fixed_scale(heat, float(self.findings_card.data["heat_scale"]))
        right, left, heart = outlined.organ_probability >= 0.5
        return tuple(
            self._finding(key, seen, heatmap.placed(one, frame), right | left, heart)
            for key, seen, one in zip(KEYS, probabilities.T, heat, strict=True)
        )

    def _finding(
        self, key: str, seen: np.ndarray, heat: np.ndarray, lungs: np.ndarray, heart: np.ndarray
    ) -> FindingReading:
        """One finding from its probabilities, float (views,), and its heat."""
        fitted = self.calibration.findings[key]
        probability = float(seen.mean())
        fine = cv2.resize(heat, lungs.shape[::-1], interpolation=cv2.INTER_LINEAR)
        return FindingReading(
            key=key,
            probability=probability,
            threshold=fitted.threshold,
            band=(fitted.low, fitted.high),
            call=fitted.call(probability),
            heat=heat,
            heat_in_lungs=heatmap.share_inside(fine, lungs),
            heat_in_heart=heatmap.share_inside(fine, heart),
            heat_checked=self.findings_card.heat_checked.get(key),
            spread=(float(seen.min()), float(seen.max())) if len(seen) > 1 else None,
        )

    def _without_score(self, radiograph: Radiograph, reason: str | None, clock: "Clock") -> Reading:
        """A refusal: the reason, and nothing that could be taken for a result."""
        return Reading(radiograph, False, reason, None, (), None, self.stamps, self.device, clock.total())


class Clock:
    """Milliseconds by stage."""

    def __init__(self, decode: float) -> None:
        self.began = self.last = time.perf_counter()
        self.stages = {"decode": decode, "organs": 0.0, "findings": 0.0}

    def lap(self, stage: str) -> None:
        """Note the time since the last lap under a stage."""
        now = time.perf_counter()
        self.stages[stage] = (now - self.last) * 1000.0
        self.last = now

    def total(self) -> dict[str, float]:
        """All stages and their total."""
        return {**self.stages, "total": self.stages["decode"] + (time.perf_counter() - self.began) * 1000.0}


def _check_they_belong_together(findings_card: Card, organs_card: Card) -> None:
    """Probabilities rest on the geometry of one organ model; with another one they would shift unnoticed."""
    calibrated_with = findings_card.data["geometry"]["organs_sha256"]
    if calibrated_with != organs_card.stamp.sha256:
        raise NoWeights(
            f"{findings_card.version} was calibrated with another organ model than {organs_card.version}: "
            f"activate {findings_card.data['geometry']['organs_version']} or train the findings again."
        )
