"""The six findings: their order, keys, names and codes. Nothing else in the project spells them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One thing a frontal chest radiograph is read for.

    Args:
        key: Name in code, JSON, CSV columns and card files.
        name: Name on screen and in reports.
        snomed: SNOMED CT concept identifier of the finding.
        meaning: One sentence for a tooltip: what a reader calls by this name.
    """

    key: str
    name: str
    snomed: str
    meaning: str


CARDIOMEGALY = Finding(
    "cardiomegaly",
    "Cardiomegaly",
    "8186001",
    "Enlarged cardiac silhouette; on a PA film usually a cardiothoracic ratio above 0.5.",
)
PLEURAL_EFFUSION = Finding(
    "pleural_effusion",
    "Pleural Effusion",
    "60046008",
    "Fluid in the pleural space: a blunted costophrenic angle, a meniscus, or a veil of opacity.",
)
ATELECTASIS = Finding(
    "atelectasis",
    "Atelectasis",
    "46621007",
    "Loss of volume of a lung, a lobe or a segment: linear bands, crowding, a displaced fissure.",
)
CONSOLIDATION = Finding(
    "consolidation",
    "Consolidation",
    "95436008",
    "Air spaces filled with fluid or tissue: opacity that hides vessels, often with air bronchograms.",
)
EDEMA = Finding(
    "edema",
    "Edema",
    "19242006",
    "Pulmonary edema: Kerley lines, peribronchial cuffing, perihilar haze or alveolar opacity.",
)
NO_FINDING = Finding(
    "no_finding",
    "No Finding",
    "281900007",
    "None of the five findings above and no other abnormality was reported.",
)

FINDINGS: tuple[Finding, ...] = (CARDIOMEGALY, PLEURAL_EFFUSION, ATELECTASIS, CONSOLIDATION, EDEMA, NO_FINDING)
KEYS: tuple[str, ...] = tuple(finding.key for finding in FINDINGS)
ABNORMAL: tuple[Finding, ...] = FINDINGS[:5]
"""The five that are abnormal: the ones whose mean AUROC is reported."""
BY_KEY: dict[str, Finding] = {finding.key: finding for finding in FINDINGS}
