"""A real PACS on the loopback: Debian's Orthanc with its DICOMweb plugin, sign-in required."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import missing

BINARY, PLUGIN = Path("/usr/sbin/Orthanc"), Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
USER, PASSWORD = "lungs", "secret"
START_SECONDS = 60


@contextmanager
def running_orthanc(folder: Path, port: int) -> Iterator[str]:
    """Start it on a folder that may hold studies already; gives the root of its DICOMweb services."""
    if not BINARY.is_file() or not PLUGIN.is_file():
        missing("Orthanc (apt-get install orthanc orthanc-dicomweb)")
    settings = {
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "RemoteAccessAllowed": False,
        "HttpPort": port,
        "DicomServerEnabled": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "EnableWado": False},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "log.txt").open("ab") as output:
        process = subprocess.Popen([BINARY, folder / "orthanc.json"], stdout=output, stderr=subprocess.STDOUT)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _answers(port):
                assert process.poll() is None, "Orthanc ended at start"
                assert time.monotonic() < deadline, "Orthanc did not start"
            yield f"http://127.0.0.1:{port}/dicom-web"
        finally:
            process.terminate()
            process.wait(30)


def _answers(port: int) -> bool:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/system", timeout=2)
    except urllib.error.HTTPError as error:
        return error.code == 401
    except OSError:
        return False
    return True
