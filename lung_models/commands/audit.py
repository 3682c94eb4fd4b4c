"""``audit``: who did what, and whether that record is intact."""

import argparse
import json
import logging

log = logging.getLogger("lung_models")


def add_to(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to a parser."""
    audit = commands.add_parser("audit", help="who did what to which study or model")
    actions = audit.add_subparsers(metavar="verify|export", dest="action", required=True)
    verify = actions.add_parser(
        "verify", help="check that no row was changed, removed or added; exit code 1 if one was"
    )
    verify.set_defaults(run=_verify)
    export = actions.add_parser("export", help="all rows, one a line")
    export.add_argument("--json", action="store_true", help="one JSON object a line")
    export.set_defaults(run=_export)


def _verify(options: argparse.Namespace) -> int:
    from lung_models.records import audit
    from lung_models.records.database import Database

    verified = audit.verify(Database())
    if verified.broken is not None:
        log.error("%s Restore the database from a backup and compare.", verified.broken)
        return 1
    print(f"Intact: {verified.rows} rows.")
    return 0


def _export(options: argparse.Namespace) -> int:
    from lung_models.records import audit
    from lung_models.records.database import Database

    for row in audit.export(Database()):
        if options.json:
            print(json.dumps(row))
        else:
            print(f"{row['number']:>6}  {row['at']}  {row['by']}  {row['action']}  {row['subject']}  {row['detail']}")
    return 0
