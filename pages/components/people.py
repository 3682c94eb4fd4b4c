"""Who is at the page."""

from getpass import getuser


def current_name() -> str:
    """The name that what is done here is recorded under."""
    return getuser()
