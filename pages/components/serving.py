"""The reader and the records that all sessions of the app share."""

from typing import TYPE_CHECKING

import streamlit as st

from lung_models.records.database import Database, sweep_uploads

if TYPE_CHECKING:
    from lung_models.reader import Reader

Versions = tuple[str | None, str | None]
"""Names of the versions that read: of findings and of organs."""

_ready: Versions | None = None
"""The versions loaded last; None before the first."""


@st.cache_resource(show_spinner=False)
def database() -> Database:
    """The records; uploads that were left lying are swept away when the server starts."""
    sweep_uploads()
    return Database()


def shared_reader() -> "Reader":
    """The reader with the active versions, loaded once for all sessions and again when another version is promoted.

    Raises:
        Refusal: There are no weights to read with.
    """
    global _ready
    versions = _active()
    reader = _loaded(versions)
    _ready = versions
    return reader


def reader_is_loaded() -> bool:
    """Whether a study can be read at once by the versions active now, without waiting for the models."""
    try:
        return _ready is not None and _ready == _active()
    except (OSError, ValueError):  # active.json cannot be read; reading will say so
        return False


def _active() -> Versions:
    from lung_models.weights import WeightStore  # imports torch: seconds, so only once the page is drawn

    store = WeightStore()
    return store.active("findings"), store.active("organs")


@st.cache_resource(show_spinner=False, max_entries=1)
def _loaded(versions: Versions) -> "Reader":
    from lung_models.reader import Reader

    findings, organs = versions
    return Reader.load(findings_version=findings, organs_version=organs)
