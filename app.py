"""Page configuration and navigation of the workbench: ``streamlit run app.py``."""

import streamlit as st

from pages import models, read, train
from pages.components.notice import notice

st.set_page_config(page_title="Lungs", layout="wide", initial_sidebar_state=240)
page = st.navigation(
    [
        st.Page(read.page, title="Read", default=True),
        st.Page(read.page, title="Read", url_path="read", visibility="hidden"),  # its own address, not only "/"
        st.Page(train.page, title="Train", url_path="train"),
        st.Page(models.page, title="Models", url_path="models"),
    ],
    position="top",
)
notice()
page.run()
