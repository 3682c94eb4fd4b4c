"""A server that others can reach shows nothing without sign-in."""

import pytest
from streamlit import config
from streamlit.testing.v1 import AppTest

from tests.conftest import ROOT


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.5", "lungs.example", ""])
def test_a_server_that_others_can_reach_needs_sign_in(address: str) -> None:
    before = config.get_option("server.address")
    config._set_option("server.address", address, "test")
    try:
        app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60).run()
    finally:
        config._set_option("server.address", before, "test")
    (line,) = [error.value for error in app.error]
    assert "no sign-in is configured" in line
    assert not app.button and not app.get("file_uploader") and not app.exception
