"""Files for the reader to save: made when asked for, sent within the session, with no address that others could open.

Streamlit's own download button puts the file behind a URL that needs no sign-in, and can only say "failed" when making
it fails.
"""

import json
import secrets
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from lung_models.radiograph import Refusal
from pages.components.words import plain

_mount = st.components.v2.component(
    "lungs_download", js=Path(__file__).with_name("download.js").read_text(encoding="utf-8")
)


def download_button(label: str, name: str, media: str, make: Callable[[], bytes], *, key: str, help: str = "") -> None:
    """A button that makes a file and has the browser save it; why it cannot is said in one line below.

    Args:
        label: On the button.
        name: The file's name.
        media: Its media type.
        make: Makes its bytes, when the button is pressed.
        key: Identifies the button on the page.
        help: What the file is.
    """
    if not st.button(label, key=key, help=help or None):
        return
    try:
        with st.spinner("Writing ..."):
            content = make()
    except (Refusal, ValueError, OSError) as error:
        st.error(f"Not exported; the study is still there. {plain(str(error))}")
        return
    header = json.dumps({"name": name, "type": media, "nonce": secrets.token_hex(8)}).encode()
    _mount(key=f"{key}_file", data=b"".join([len(header).to_bytes(4, "little"), header, content]))
