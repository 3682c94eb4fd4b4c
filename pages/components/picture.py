"""Small pictures that travel within the session: Streamlit's own addresses of pictures need no sign-in."""

from base64 import b64encode
from pathlib import Path

import cv2
import numpy as np


def within_session(picture: np.ndarray | Path) -> str:
    """A picture as an address that holds it.

    Args:
        picture: uint8 (height, width), 255 is white; or a PNG file.
    """
    content = picture.read_bytes() if isinstance(picture, Path) else cv2.imencode(".png", picture)[1].tobytes()
    return f"data:image/png;base64,{b64encode(content).decode()}"
