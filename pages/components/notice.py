"""The research-use notice, drawn by ``app.py`` above every page."""

from pathlib import Path

import streamlit as st

NOTICE = (
    "Research use only. Not a medical device. It supplements a reader's own judgement and does not replace it; "
    "do not use it for diagnosis or treatment."
)
STYLE = Path(__file__).with_name("notice.css").read_text(encoding="utf-8")


def notice() -> None:
    """Draw the notice, and the page's own margins."""
    st.html(f'<style>{STYLE}</style><p class="research-notice" role="note">{NOTICE}</p>')
