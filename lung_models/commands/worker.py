"""``worker``: work off the queue of fine-tunings, beside the app or on a server that shares its database."""

import argparse
import logging

log = logging.getLogger("lung_models")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``worker`` to the command line."""
    worker = commands.add_parser("worker", help="work off the queue of fine-tunings")
    worker.add_argument("--device", default="default", metavar="NAME", help="whose queue (default: default)")
    worker.add_argument("--until-idle", action="store_true", help="end when nothing waits")
    worker.add_argument("--job", type=int, metavar="NUMBER", help="do this one, claimed already, in this process")
    worker.set_defaults(run=_worker)


def _worker(options: argparse.Namespace) -> int:
    from lung_models.records.database import Database
    from lung_models.training import work

    database = Database()
    if options.job is not None:
        work.run_job(database, options.job)
    else:
        work.work_off(database, options.device, until_idle=options.until_idle)
    return 0
