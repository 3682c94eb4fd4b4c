"""Promoting a version with a reason, and undoing it: what reads next, in every session."""

from typing import TYPE_CHECKING

import streamlit as st

from lung_models import promotion
from lung_models.radiograph import Refusal
from pages.components.people import current_person
from pages.components.serving import database
from pages.components.words import plain

if TYPE_CHECKING:
    from lung_models.weights import WeightStore


def draw_promotion(store: "WeightStore", network: str, version: str) -> None:
    """A reason and a button that makes the version the one that reads."""
    person = current_person()
    if not person.may("admin"):
        st.caption("Only an admin may promote a version.")
    reason = st.text_input("Reason", key=f"reason_{version}", help="Kept beside the versions, with the date.")
    if st.button(
        "Promote", key=f"promote_{version}", type="primary", disabled=not (reason.strip() and person.may("admin"))
    ):
        try:
            change = promotion.promote(store, network, version, reason, by=person, database=database())
        except (Refusal, ValueError, OSError) as error:
            st.error(plain(str(error)))
            return
        st.session_state.told = f"{change.after[network]} reads from the next radiograph on. What was read stays."
        st.rerun()


def draw_rollback(store: "WeightStore") -> None:
    """What was promoted last, and the button that undoes it; nothing where there is nothing to undo."""
    if told := st.session_state.pop("told", None):
        st.success(plain(told))
    try:
        last = promotion.can_roll_back(store)
    except (OSError, ValueError, TypeError):
        return
    if last is None:
        return
    changed = [version for network, version in last.after.items() if last.before.get(network) != version]
    person = current_person()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.write(
            f"Promoted {plain(last.at[:16].replace('T', ' '))} UTC: {plain(', '.join(changed))}. {plain(last.reason)}"
        )
        meaning = "What read before reads again, from the next radiograph on. Only an admin may."
        if st.button("Roll back", help=meaning, disabled=not person.may("admin")):
            try:
                change = promotion.rollback(store, by=person, database=database())
            except (Refusal, ValueError, OSError) as error:
                st.error(plain(str(error)))
                return
            st.session_state.told = f"Rolled back: {', '.join(change.after.values())} read again."
            st.rerun()
