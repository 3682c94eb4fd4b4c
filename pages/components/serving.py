"""The reader that all sessions of the app share."""

import threading
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from lung_models.reader import Reader

_ready = threading.Event()


def shared_reader() -> "Reader":
    """The reader with the active versions, loaded once for all sessions and again when another version is promoted.

    Raises:
        Refusal: There are no weights to read with.
    """
    from lung_models.weights import NETWORKS, WeightStore  # imports torch: seconds, so only once the page is drawn

    store = WeightStore()
    reader = _loaded(tuple(store.active(network) for network in NETWORKS))
    _ready.set()
    return reader


def reader_is_loaded() -> bool:
    """Whether a study can be read at once, without waiting for the models."""
    return _ready.is_set()


@st.cache_resource(show_spinner=False, max_entries=1)
def _loaded(active: tuple[str | None, ...]) -> "Reader":
    from lung_models.reader import Reader

    return Reader.load()
