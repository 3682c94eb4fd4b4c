"""Small pictures that travel within the session: Streamlit's own addresses of pictures need no sign-in."""

from base64 import b64encode

import cv2
import numpy as np


def within_session(picture: np.ndarray) -> str:
    """A picture as an address that holds it.

    Args:
        picture: uint8 (height, width), 255 is white.
    """
    content = cv2.imencode(".png", picture)[1].tobytes()
    return f"data:image/png;base64,{b64encode(content).decode()}"
