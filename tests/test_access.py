"""Roles: what each may do, and where they come from."""

from pathlib import Path

import pytest

from lung_models.access import ROLES, Forbidden, Person, Role, local_person, name_of, on_this_machine, require, role_of


def test_each_role_may_do_what_those_before_it_may() -> None:
    for place, own in enumerate(ROLES):
        for other, wanted in enumerate(ROLES):
            assert Person("x", own).may(wanted) is (other <= place)
    require(local_person(), "admin")
    with pytest.raises(Forbidden, match="Only an admin may do this, and eve is a reader"):
        require(Person("eve", "reader"), "admin")


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({}, None),
        ({"roles": "trainer"}, "trainer"),
        ({"roles": ["reader", "admin", "other"]}, "admin"),
        ({"roles": ["superuser"]}, None),
        ({"roles": 3}, None),
        ({"roles": [{"name": "admin"}, "reader"]}, "reader"),
        ({"email": "Ada@Example.org", "email_verified": True}, "trainer"),
        ({"email": "ada@example.org"}, None),
        ({"email": "ada@example.org", "email_verified": "false"}, None),
        ({"email": "ada@example.org", "email_verified": False}, None),
        ({"email": "ada@example.org", "email_verified": True, "roles": ["reader"]}, "trainer"),
        ({"email": "ada@example.org", "roles": ["reader"]}, "reader"),
        ({"email": ""}, None),
    ],
)
def test_a_role_comes_from_a_claim_or_a_list_of_addresses(claims: dict[str, object], role: Role | None) -> None:
    assert role_of(claims, {"trainer": ["ada@example.org"], "admin": [""]}) == role


def test_only_an_admin_names_paths_on_the_server() -> None:
    assert on_this_machine(local_person(), "/some/where") == Path("/some/where")
    for role in ("reader", "trainer"):
        with pytest.raises(Forbidden, match="Only an admin"):
            on_this_machine(Person("eve", role), "/etc")


def test_nobody_acts_under_an_address_that_was_not_verified() -> None:
    claims: dict[str, object] = {"email": "Ada@example.org", "sub": "17", "iss": "https://id.example"}
    assert name_of(claims) == "17 of https://id.example"
    assert name_of({**claims, "email_verified": True}) == "ada@example.org"
    assert name_of(claims, trusts_addresses=True) == "ada@example.org"
    assert name_of({**claims, "email_verified": False}, trusts_addresses=True) == "17 of https://id.example"
    assert name_of({}) == ""
