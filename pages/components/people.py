"""Who is at the page, and the gate that every page lies behind where sign-in is configured."""

import ipaddress
from pathlib import Path
from typing import Any

import streamlit as st

from lung_models.access import ROLES, Person, local_person, name_of, role_of
from lung_models.records import audit
from pages.components.serving import database
from pages.components.words import plain


def current_name() -> str:
    """The name that what is done here is recorded under."""
    return current_person().name


def current_person() -> Person:
    """Who is at the page, and what they may do."""
    if not sign_in_is_configured():
        return local_person()
    person = signed_in_person()
    return person or Person("nobody", "reader")  # no page is drawn for them, see is_admitted


def may_name_paths() -> bool:
    """Whether to offer them a path on the server to read from; an empty one asks for nothing."""
    return current_person().may("admin")


def is_admitted() -> bool:
    """Whether the pages may be drawn; says in one line why not."""
    if not sign_in_is_configured():
        if is_alone():
            return True
        st.error("Other machines can reach this server and no sign-in is configured: see docs/team.md.")
        return False
    if secrets_are_damaged():
        st.error("The secrets of this server cannot be read, so nobody can sign in: correct secrets.toml.")
        return False
    if not st.user.is_logged_in:
        st.title("Lungs")
        st.write("Sign in to read radiographs.")
        if st.button("Sign in", type="primary"):
            st.login()
        return False
    person = signed_in_person()
    if person is None:
        st.error("You are signed in and have no role here: ask an admin for one.")
        st.button("Sign out", on_click=st.logout)
        return False
    if not st.session_state.get("signed_in"):
        st.session_state.signed_in = True
        with database().transaction() as session:
            audit.record(session, person.name, "sign in", person.role)
    return True


def draw_person() -> None:
    """Who is signed in, and the way out; nothing for somebody alone at their machine."""
    if not sign_in_is_configured():
        return
    person = current_person()
    with st.sidebar:
        st.caption(f"{plain(person.name)}, {person.role}")
        st.button("Sign out", on_click=st.logout, key="sign_out")


def sign_in_is_configured() -> bool:
    """Whether the secrets have an ``[auth]`` section; secrets that cannot be read count as if they had one."""
    return secrets_are_damaged() or (st.secrets.load_if_toml_exists() and "auth" in st.secrets)


def secrets_are_damaged() -> bool:
    """Whether there are secrets that cannot be read: nobody is let in then."""
    return not st.secrets.load_if_toml_exists() and any(Path(one).exists() for one in st.get_option("secrets.files"))


def signed_in_person() -> Person | None:
    """Who signed in, if they have a role."""
    claims: dict[str, Any] = st.user.to_dict()
    said: dict[str, Any] = dict(st.secrets.get("roles", {}))
    lists = {role: list(said.get(role, [])) for role in ROLES}
    trusts = said.get("trust_addresses") is True
    role, name = role_of(claims, lists, str(said.get("claim", "roles")), trusts), name_of(claims, trusts)
    return Person(name, role) if role is not None and name else None


def is_alone() -> bool:
    """Whether the server can be reached from this machine only."""
    address = st.get_option("server.address") or ""
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
