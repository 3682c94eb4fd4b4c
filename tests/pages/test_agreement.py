"""The Bland-Altman plot and the words under it."""

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.components.agreement import agreement_plot, limits_of_agreement

PAIRS = {"one": [(0.40, 0.42), (0.50, 0.51)], "two": [(0.60, 0.58), (0.45, 0.48)]}


def test_bias_and_limits_are_those_of_bland_and_altman() -> None:
    difference = np.array([0.02, 0.01, -0.02, 0.03])
    bias, low, high = limits_of_agreement(PAIRS)
    assert bias == pytest.approx(difference.mean())
    assert (low, high) == pytest.approx((bias - 1.96 * difference.std(), bias + 1.96 * difference.std()))


def test_every_radiograph_is_a_mark_of_its_source() -> None:
    figure = agreement_plot(PAIRS)
    assert [trace.name for trace in figure.data] == ["one (n = 2)", "two (n = 2)"]
    np.testing.assert_allclose(figure.data[0].y, [0.02, 0.01], atol=1e-12)
    np.testing.assert_allclose(figure.data[0].x, [0.41, 0.505])


def test_the_page_says_the_bias_in_words_and_draws_nothing_without_pairs() -> None:
    def page(pairs: dict) -> None:
        from pages.components.agreement import draw_agreement

        draw_agreement(pairs)

    drawn = AppTest.from_function(page, args=(PAIRS,)).run()
    assert not drawn.exception and len(drawn.get("plotly_chart")) == 1
    assert "0.010 higher" in drawn.caption[0].value
    empty = AppTest.from_function(page, args=({},)).run()
    assert not empty.exception and len(empty.get("plotly_chart")) == 0
