"""One measured figure, with its n and its 95 % interval."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.stats import binomtest

BOOTSTRAPS = 1000  # resamples of an interval
Statistic = Callable[[np.ndarray], float]
"""Maps row numbers, some of them drawn more than once, to a number."""


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    Args:
        name: What was measured, for example ``AUROC``.
        group: Of what: a finding's or an organ's name, or a source.
        value: The figure.
        low: Lower end of the 95 % interval.
        high: Upper end of it.
        n: Number of images (for sensitivity of positives, for specificity of negatives).
        unit: Unit, empty for a ratio.
        protocol: How, in a few words.
    """

    name: str
    group: str
    value: float
    low: float
    high: float
    n: int
    unit: str
    protocol: str

    def to_json(self) -> dict[str, Any]:
        """What a card holds, rounded to four decimals."""
        return {key: round(item, 4) if isinstance(item, float) else item for key, item in asdict(self).items()}


def bootstrap(statistic: Statistic, patients: np.ndarray) -> tuple[float, float]:
    """95 % interval of a statistic: percentiles over draws of patients with replacement, all their images together.

    A draw that misses a class altogether says nothing and is left out.

    Args:
        statistic: Computed on every draw.
        patients: str (n,), whose image each row is.
    """
    rng = np.random.default_rng(0)
    names, position = np.unique(patients, return_inverse=True)
    of_patient = [np.flatnonzero(position == i) for i in range(len(names))]
    values = []
    for _ in range(BOOTSTRAPS):
        drawn = rng.integers(0, len(names), len(names))
        rows = np.concatenate([of_patient[i] for i in drawn])
        try:
            values.append(statistic(rows))
        except ValueError:
            continue
    low, high = np.nanpercentile(values, (2.5, 97.5))
    return float(low), float(high)


def of_values(name: str, group: str, values: np.ndarray, statistic: Statistic, protocol: str) -> Figure:
    """A statistic of one value an image, every image another patient."""
    low, high = bootstrap(lambda rows: statistic(values[rows]), np.arange(len(values)))
    return Figure(name, group, statistic(values), low, high, len(values), "", protocol)


def share(name: str, group: str, held: Iterable[bool], protocol: str) -> list[Figure]:
    """The share of pictures of which something holds, with Wilson's 95 % interval; nothing when there are none."""
    every = list(held)
    if not every:
        return []
    result = binomtest(sum(every), len(every))
    interval = result.proportion_ci(0.95, method="wilson")
    return [Figure(name, group, result.statistic, float(interval.low), float(interval.high), len(every), "", protocol)]
