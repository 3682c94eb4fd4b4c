"""A head fitted to text-mined labels: thousands of noisy ones beside a few hundred of radiologists.

Reports name what a radiologist had in mind, in many more films than three readers could be asked about. The labels are
confounded (edema is mostly mined from bedside films), so that they are weighed until view, hospital and stored size say
nothing of them. The head shares its features with that of :mod:`lung_models.training.head`, whose stack weighs the two.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression

from lung_models.findings import KEYS
from lung_models.training.head import Linear

MINED_STRENGTH = 1e-3  # inverse regularisation on standardised features (scikit-learn's C), as of the other head
TEXT_MINED = "text_mined"
"""Of the companion of a version that keeps this head, so that cross-validation can be repeated."""


def fit_mined(pooled: np.ndarray, labels: np.ndarray, stratum: np.ndarray) -> Linear:
    """One logistic regression a finding on standardised features.

    Args:
        pooled: float32 (n, channels), pooled features.
        labels: float32 (n, 6), 1, 0 or NaN for unknown; every finding both there and absent in some stratum.
        stratum: str (n,), what must tell nothing: view, hospital and stored size.
    """
    mean, scale = pooled.mean(axis=0), pooled.std(axis=0) + 1e-6
    models = []
    for column in range(len(KEYS)):
        weight = balanced(labels[:, column], stratum)
        used = weight > 0
        model = LogisticRegression(C=MINED_STRENGTH, max_iter=500)
        models.append(model.fit(((pooled - mean) / scale)[used], labels[used, column], sample_weight=weight[used]))
    return Linear.of(models, mean, scale)


def balanced(labels: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """Weights with which positives and negatives count the same within every stratum.

    A stratum counts as much as its rarer class has images, one without either nothing.

    Args:
        labels: float32 (n,), 1, 0 or NaN for unknown.
        stratum: str (n,).

    Returns:
        float64 (n,), 0 for unknown labels; the mean over the others is 1.
    """
    weight = np.zeros(len(labels))
    for name in np.unique(stratum):
        classes = [(stratum == name) & (labels == value) for value in (0.0, 1.0)]
        rarer = min(int(chosen.sum()) for chosen in classes)
        for chosen in classes:
            if rarer:
                weight[chosen] = rarer / chosen.sum()
    return weight * (np.sum(~np.isnan(labels)) / max(weight.sum(), 1e-12))
