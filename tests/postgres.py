"""A real PostgreSQL on the loopback, of Debian's package, in a folder of its own and never as root."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import free_port, missing

USER = "postgres"


def binary(name: str) -> str:
    """One of its programs, of the newest version that is installed."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    path = str(found[-1]) if found else shutil.which(name)
    if path is None:
        missing("PostgreSQL (apt-get install postgresql)")
    return path


def command(*arguments: str) -> list[str]:
    """The command, as the user ``postgres`` where the tests run as root, which the server refuses to do."""
    return ["runuser", "-u", USER, "--", *arguments] if os.geteuid() == 0 else list(arguments)


@contextmanager
def running_postgres(folder: Path) -> Iterator[str]:
    """Start a server on a free port; gives its URL without a database's name."""
    initdb, control = binary("initdb"), binary("pg_ctl")
    port = free_port()
    folder.mkdir(parents=True)
    if os.geteuid() == 0:
        shutil.chown(folder, USER)
        for parent in (folder, *folder.parents):  # pytest's folders are closed to others
            if parent.stat().st_uid == 0 and parent != Path("/"):
                parent.chmod(parent.stat().st_mode | 0o011)
    data = str(folder / "data")
    quiet = {"check": True, "cwd": "/", "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command(initdb, "-D", data, "-U", USER, "--auth=trust", "--no-sync", "-E", "UTF8"), **quiet)  # type: ignore[call-overload]
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
    log = str(folder / "log.txt")
    subprocess.run(command(control, "-D", data, "-l", log, "-w", "-o", options, "start"), **quiet)  # type: ignore[call-overload]
    try:
        yield f"postgresql://{USER}@127.0.0.1:{port}"
    finally:
        if (Path(data) / "postmaster.pid").exists():  # else it has ended, as it does when its folder is removed
            subprocess.run(command(control, "-D", data, "-m", "immediate", "-w", "stop"), **quiet)  # type: ignore[call-overload]
