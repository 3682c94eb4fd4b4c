"""Commands that fill a module of their own, and what they share."""

import logging

log = logging.getLogger("lung_models")


def report(done: int, of: int, what: str) -> None:
    """Tell now and then, on standard error, how far a command is; see :data:`training.labelled_set.Progress`."""
    if done % 500 == 0 or done == of:
        log.info("%d of %d %s", done, of, what)
