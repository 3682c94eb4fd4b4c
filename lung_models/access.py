"""Who acts, and what they may do: checked where the act is done, whatever page or command asks for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from getpass import getuser
from pathlib import Path
from typing import Literal, get_args

from lung_models.radiograph import Refusal

Role = Literal["reader", "trainer", "admin"]
"""Each may do what those before it may: read, keep and judge; bring sets in and train; promote, roll back and name
paths on the server."""
ROLES: tuple[Role, ...] = get_args(Role)
NAMED: dict[Role, str] = {"reader": "a reader", "trainer": "a trainer", "admin": "an admin"}


class Forbidden(Refusal):
    """Somebody may not do what they asked for."""


@dataclass(frozen=True)
class Person:
    """Somebody at a page or at the command line.

    Args:
        name: What their acts are recorded under.
        role: The most that they may do.
    """

    name: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether they may do what a role may."""
        return ROLES.index(self.role) >= ROLES.index(role)


def local_person() -> Person:
    """Whoever is alone at this machine: they may do everything, under the name the machine knows them by."""
    return Person(getuser(), "admin")


def require(by: Person, role: Role) -> None:
    """Let only those go on who may do what a role may.

    Raises:
        Forbidden: for anybody else.
    """
    if not by.may(role):
        raise Forbidden(f"Only {NAMED[role]} may do this, and {by.name} is {NAMED[by.role]}: ask an admin.")


def on_this_machine(by: Person, path: str) -> Path:
    """A path on the server that somebody names: an admin's to name, for the server may read more than they may.

    Raises:
        Forbidden: for anybody else.
    """
    require(by, "admin")
    return Path(path)


def role_of(
    claims: Mapping[str, object],
    lists: Mapping[Role, list[str]],
    claim: str = "roles",
    trusts_addresses: bool = False,
) -> Role | None:
    """The highest role that an identity provider's claims or a list of e-mail addresses give.

    Args:
        claims: Of the identity token.
        lists: E-mail addresses by role, in any case.
        claim: The claim that holds a role or a list of roles.
        trusts_addresses: As :func:`verified_address` takes it.

    Returns:
        None for somebody who has none.
    """
    stated = claims.get(claim)
    named = list(stated) if isinstance(stated, (list, tuple)) else [stated]
    address = verified_address(claims, trusts_addresses)
    for role in reversed(ROLES):
        if role in named or (address and address in {one.lower() for one in lists.get(role, [])}):
            return role
    return None


def verified_address(claims: Mapping[str, object], trusts_addresses: bool = False) -> str:
    """The e-mail address in lower case; empty where the provider does not vouch for it: anybody may state another's.

    Args:
        claims: Of the identity token.
        trusts_addresses: Whether an address counts too of which the provider does not say whether it was verified.
    """
    vouched = claims.get("email_verified", trusts_addresses)
    return str(claims.get("email") or "").lower() if vouched is True else ""


def name_of(claims: Mapping[str, object], trusts_addresses: bool = False) -> str:
    """What somebody's acts are recorded under: a verified address, else issuer and subject, which nobody can choose."""
    subject = f"{claims['sub']} of {claims.get('iss', 'the provider')}" if claims.get("sub") else ""
    return verified_address(claims, trusts_addresses) or subject
