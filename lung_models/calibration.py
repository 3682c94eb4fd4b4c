"""Logits -> calibrated probability -> call at an operating point.

A calibrated head is one logistic regression a finding, over the network's logit and the geometry of the organs (the
cardiothoracic ratio says more of cardiomegaly than the network does). No Finding means that none of the others is
there, so that its regression looks at their probabilities instead of the geometry. All was fitted to radiologists'
labels together with the operating points that belong to it; both live on the card of the version and nowhere else.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from lung_models.findings import ABNORMAL, KEYS
from lung_models.reading import Call


@dataclass(frozen=True)
class FindingCalibration:
    """How one finding's logit becomes a probability and a call.

    Args:
        slope: Weight of the network's logit.
        geometry: Weight of each standardised quantity of :data:`lung_models.anatomy.GEOMETRY`.
        intercept: Added to all, in log-odds.
        threshold: Operating point, a probability.
        low: Below it the finding is called absent.
        high: From it on the finding is called present; between the two it is called uncertain.
        absence: Weight of :func:`log_absence`; only No Finding has one.
    """

    slope: float
    geometry: tuple[float, ...]
    intercept: float
    threshold: float
    low: float
    high: float
    absence: float = 0.0

    def call(self, probability: float) -> Call:
        """The call at this operating point."""
        if probability >= self.high:
            return "present"
        return "absent" if probability < self.low else "uncertain"


@dataclass(frozen=True)
class Calibration:
    """Calibration of a version.

    Args:
        findings: By key, all six.
        geometry_mean: Mean of each geometric quantity where it was fitted.
        geometry_scale: Standard deviation of each.
        rule: How the operating point and the band were chosen, in words for the page.
    """

    findings: Mapping[str, FindingCalibration]
    geometry_mean: tuple[float, ...]
    geometry_scale: tuple[float, ...]
    rule: str

    def probabilities(self, logits: np.ndarray, geometry: np.ndarray, absence: np.ndarray | None = None) -> np.ndarray:
        """Calibrated probabilities, float64 (n, 6), 0..1; the arguments are those of :meth:`log_odds`."""
        return 1.0 / (1.0 + np.exp(-np.clip(self.log_odds(logits, geometry, absence), -30.0, 30.0)))

    def log_odds(self, logits: np.ndarray, geometry: np.ndarray, absence: np.ndarray | None = None) -> np.ndarray:
        """Calibrated log-odds.

        Args:
            logits: float (n, 6).
            geometry: float (n, 6); NaN where something could not be measured counts as average.
            absence: float (n,), what No Finding is told of the others in place of what these logits say of them, see
                :func:`log_absence`.

        Returns:
            float64 (n, 6), natural log-odds.
        """
        return self.together(self.alone(logits, geometry), absence)

    def alone(self, logits: np.ndarray, geometry: np.ndarray) -> np.ndarray:
        """Log-odds, float64 (n, 6), before No Finding is told of the others."""
        alone: np.ndarray = logits * np.array([one.slope for one in self._fitted]) + self.offsets(geometry)
        return alone

    def offsets(self, geometry: np.ndarray) -> np.ndarray:
        """What geometry and intercept add to the log-odds: float64 (n, 6)."""
        weights = np.array([one.geometry for one in self._fitted])
        offsets: np.ndarray = self.standardised(geometry) @ weights.T + [one.intercept for one in self._fitted]
        return offsets

    def together(self, alone: np.ndarray, absence: np.ndarray | None = None) -> np.ndarray:
        """Log-odds, float64 (n, 6), from those of :meth:`alone`; ``absence`` as in :meth:`log_odds`."""
        told = log_absence(alone) if absence is None else absence
        log_odds: np.ndarray = alone + told[:, np.newaxis] * self.absence_weights
        return log_odds

    @property
    def absence_weights(self) -> np.ndarray:
        """Weight of :func:`log_absence` for each finding: float64 (6,), 0 but for No Finding."""
        return np.array([one.absence for one in self._fitted])

    @property
    def _fitted(self) -> list[FindingCalibration]:
        return [self.findings[key] for key in KEYS]

    def standardised(self, geometry: np.ndarray) -> np.ndarray:
        """Geometry in standard deviations from the mean where it was fitted; 0 where not measurable."""
        return np.nan_to_num((geometry - np.array(self.geometry_mean)) / np.array(self.geometry_scale))

    def to_json(self) -> dict[str, Any]:
        """What a card holds."""
        return {
            "rule": self.rule,
            "geometry_mean": list(self.geometry_mean),
            "geometry_scale": list(self.geometry_scale),
            "findings": {key: asdict(one) for key, one in self.findings.items()},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Calibration":
        """What :meth:`to_json` wrote."""
        return cls(
            findings={
                key: FindingCalibration(**{**one, "geometry": tuple(one["geometry"])})
                for key, one in data["findings"].items()
            },
            geometry_mean=tuple(data["geometry_mean"]),
            geometry_scale=tuple(data["geometry_scale"]),
            rule=data["rule"],
        )


def log_absence(log_odds: np.ndarray) -> np.ndarray:
    """How likely it is that none of the abnormal findings is there, were they independent.

    Args:
        log_odds: float (n, 6), as ``KEYS``; that of No Finding is not looked at.

    Returns:
        float64 (n,), natural logarithm of the product of their complements: at most 0.
    """
    total: np.ndarray = -np.logaddexp(0.0, log_odds[:, : len(ABNORMAL)]).sum(axis=1)
    return total
