"""Page configuration and navigation of the workbench: ``streamlit run app.py``."""

import streamlit as st

from lung_models.records.database import RecordsUnavailable
from pages import batch, models, read, train, worklist
from pages.components.notice import notice
from pages.components.people import draw_person, is_admitted
from pages.components.words import plain

st.set_page_config(page_title="Lungs", layout="wide", initial_sidebar_state=240)
page = st.navigation(
    [
        st.Page(read.page, title="Read", default=True),
        st.Page(read.page, title="Read", url_path="read", visibility="hidden"),  # its own address, not only "/"
        st.Page(worklist.page, title="Worklist", url_path="worklist"),
        st.Page(batch.page, title="Batch", url_path="batch"),
        st.Page(train.page, title="Train", url_path="train"),
        st.Page(models.page, title="Models", url_path="models"),
    ],
    position="top",
)
notice()
try:
    if is_admitted():
        draw_person()
        page.run()
except RecordsUnavailable as error:
    st.error(plain(str(error)))
