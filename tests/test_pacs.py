"""Query, retrieve and store against a real PACS, and what is said when it is stopped, slow, wrong or broken."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from lung_models.__main__ import main
from lung_models.decode import decode
from lung_models.exports.export import Export
from lung_models.pacs.dicomweb import Pacs
from lung_models.pacs.settings import Endpoint, PacsError, endpoint, endpoints
from lung_models.reader import Reader
from tests.conftest import free_port
from tests.orthanc import PASSWORD, USER, running_orthanc


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with running_orthanc(tmp_path_factory.mktemp("orthanc"), free_port()) as url:
        yield Endpoint("orthanc", url, USER, PASSWORD)


@pytest.fixture
def filled(orthanc: Endpoint, chest_file: Path) -> Pacs:
    """A PACS that holds the real radiograph."""
    pacs = Pacs(orthanc)
    pacs.store([dcmread(chest_file)])
    return pacs


def test_a_study_is_found_by_patient_date_and_modality_and_comes_back_whole(filled: Pacs, chest_file: Path) -> None:
    stored = dcmread(chest_file)
    uid = str(stored.StudyInstanceUID)
    day = f"{stored.StudyDate[:4]}-{stored.StudyDate[4:6]}-{stored.StudyDate[6:]}"
    for study in (
        filled.query(str(stored.PatientID)),
        filled.query("", day),
        filled.query("", "2000-01-01..2010-01-01", ["CR"]),
    ):
        assert [one.uid for one in study] == [uid]
    (found,) = filled.query(str(stored.PatientID))
    assert (found.date, found.modalities, found.patient_id) == (day, "CR", str(stored.PatientID))
    assert filled.query("nobody") == [] and filled.query("", "2015-01-01") == [] and filled.query("", "", ["DX"]) == []
    (content,) = filled.retrieve(uid)
    assert np.array_equal(decode(content, "x").pixels, decode(chest_file.read_bytes(), "x").pixels)


def test_results_are_stored_back_beside_the_original_and_twice_does_no_harm(
    filled: Pacs, chest_file: Path, reader: Reader
) -> None:
    original = dcmread(chest_file)
    exported = Export(reader.read(decode(chest_file.read_bytes(), "x")), original, "label")
    objects = [exported.dicom(kind) for kind in ("seg", "sr", "sc")]
    filled.store(objects)
    filled.store([exported.dicom(kind) for kind in ("seg", "sr", "sc")])
    found = filled._client.search_for_instances(str(original.StudyInstanceUID))
    uids = sorted(one["00080018"]["Value"][0] for one in found)
    assert uids == sorted([str(original.SOPInstanceUID), *(str(one.SOPInstanceUID) for one in objects)])
    assert filled.retrieve_one(str(original.StudyInstanceUID), str(original.SOPInstanceUID)).Rows == original.Rows


def test_a_wrong_password_is_one_line(orthanc: Endpoint, chest_file: Path) -> None:
    wrong = Pacs(Endpoint("orthanc", orthanc.url, USER, "wrong"))
    with pytest.raises(PacsError, match="refused the sign-in"):
        wrong.query()
    with pytest.raises(PacsError, match=r"1 of 1 not stored .* refused the sign-in"):
        wrong.store([dcmread(chest_file)])


def test_stopped_nothing_is_lost_and_started_again_the_same_works(tmp_path: Path, chest_file: Path) -> None:
    port = free_port()
    pacs = Pacs(Endpoint("orthanc", f"http://127.0.0.1:{port}/dicom-web", USER, PASSWORD))
    dataset = dcmread(chest_file)
    with pytest.raises(PacsError, match=r"1 of 1 not stored .* cannot be reached"):
        pacs.store([dataset])
    with running_orthanc(tmp_path / "o", port):
        pacs.store([dataset])
    with pytest.raises(PacsError, match="cannot be reached"):
        pacs.query()
    with running_orthanc(tmp_path / "o", port):
        assert len(list(pacs.retrieve(str(dataset.StudyInstanceUID)))) == 1


Answer = Callable[[BaseHTTPRequestHandler], None]


def redirect(handler: BaseHTTPRequestHandler, place: str) -> None:
    handler.send_response(302)
    handler.send_header("Location", place)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@contextmanager
def faulty(answer: Answer, timeout: float = 10.0) -> Iterator[Pacs]:
    """A server that answers every GET and POST in one faulty way."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def do_POST(self) -> None:
            self.rfile.read(1)
            answer(self)

        def log_message(self, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield Pacs(Endpoint("broken", f"http://127.0.0.1:{server.server_port}", timeout_seconds=timeout))
    finally:
        server.shutdown()
        server.server_close()


def send(handler: BaseHTTPRequestHandler, status: int, kind: str, body: bytes, length: int | None = None) -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.send_header("Connection", "close")
    handler.end_headers()
    handler.wfile.write(body)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (lambda handler: send(handler, 500, "text/plain", b"secret of a patient"), r"answered with an error \(500\)"),
        (lambda handler: send(handler, 401, "text/plain", b""), r"refused the sign-in \(401\)"),
        (lambda handler: send(handler, 403, "text/plain", b""), r"refused the sign-in \(403\)"),
        (lambda handler: send(handler, 200, "text/html", b"<html>"), "not answer as DICOMweb|not whole or not DICOM"),
        (lambda handler: send(handler, 200, "application/dicom+json", b'[{"0020', 900), "broke off"),
        (lambda handler: send(handler, 200, "application/dicom+json", b'["no study"]'), "not whole or not DICOM"),
        (lambda handler: redirect(handler, "http://elsewhere.example/"), "not followed"),
        (lambda handler: handler.connection.close(), "broke off|cannot be reached"),
        (lambda handler: send(handler, 200, "application/dicom+json", b"[]", 10**10), "too large"),
    ],
)
def test_every_fault_is_one_line(answer: Answer, line: str, caplog: pytest.LogCaptureFixture) -> None:
    with faulty(answer) as pacs, pytest.raises(PacsError, match=line) as said:
        pacs.query("9RG1")
    assert "\n" not in str(said.value) and "secret" not in str(said.value)
    assert "9RG1" not in caplog.text


def test_a_slow_server_is_given_up(chest_file: Path) -> None:
    released = threading.Event()
    with faulty(lambda handler: released.wait() and None, timeout=0.3) as pacs:
        with pytest.raises(PacsError, match=r"did not answer within 0.3 s"):
            pacs.query()
        released.set()


def test_half_an_object_is_one_line_and_what_came_before_stays(chest_file: Path) -> None:
    whole = chest_file.read_bytes()
    listed = [
        {
            "00080018": {"vr": "UI", "Value": [f"1.2.{number}"]},
            "0020000D": {"vr": "UI", "Value": ["1.2"]},
            "0020000E": {"vr": "UI", "Value": ["1.3"]},
            "00080060": {"vr": "CS", "Value": ["CR"]},
        }
        for number in (1, 2, 3)
    ]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "/instances/" not in handler.path:
            send(handler, 200, "application/dicom+json", json.dumps(listed).encode())
            return
        part = whole[: len(whole) // 2] if handler.path.rstrip("/").endswith("1.2.3") else whole
        body = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + part + b"\r\n--x--\r\n"
        send(handler, 200, 'multipart/related; type="application/dicom"; boundary=x', body)

    came: list[bytes] = []
    with faulty(answer) as pacs, pytest.raises(PacsError, match=r"half an object|not whole"):
        for one in pacs.retrieve("1.2"):
            came.append(one)
    assert len(came) == 2 and decode(came[0], "x").width == dcmread(BytesIO(whole)).Columns


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LUNGS_SETTINGS", str(tmp_path / "settings.toml"))
    return tmp_path / "settings.toml"


def test_settings_that_make_no_sense_are_one_line(settings: Path) -> None:
    assert endpoints() == {}
    with pytest.raises(PacsError, match="No PACS is configured"):
        endpoint()
    for text, line in (
        ("[pacs.a]\nurl = 'ftp://x'", "begins with https"),
        ("[pacs.a]\nurl = 'http://pacs.example/dicom-web'", "unencrypted"),
        ("[pacs.a]\nurl = 'https://x'\npasword = 'y'", "not known: pasword"),
        ("[pacs.a", "cannot be read"),
        ("pacs = 3", "cannot be read"),
        ("[pacs.a]\nurl = 'https://x'\npassword_file = '/nowhere'", "password_file"),
    ):
        settings.write_text(text)
        with pytest.raises(PacsError, match=line):
            endpoints()
    settings.write_text("[pacs.a]\nurl = 'https://x'\npassword = 'hush'\n[pacs.b]\nurl = 'http://localhost:1'")
    assert set(endpoints()) == {"a", "b"} and "hush" not in repr(endpoints())
    with pytest.raises(PacsError, match="Name one"):
        endpoint()


def test_the_command_line(
    filled: Pacs,
    settings: Path,
    chest_file: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    settings.write_text(
        f"[pacs.ward]\nurl = '{filled.where.url}'\nusername = '{USER}'\npassword_file = '{tmp_path / 'password'}'"
    )
    assert main(["pacs", "query", "--patient", "9RG1", "--json"]) == 0
    (found,) = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert main(["pacs", "retrieve", found["uid"], "--out", str(tmp_path / "got"), "--json"]) == 0
    (line,) = (json.loads(one) for one in capsys.readouterr().out.splitlines())
    assert np.array_equal(dcmread(line["path"]).pixel_array, dcmread(chest_file).pixel_array)
    assert main(["pacs", "store", line["path"]]) == 0
    (tmp_path / "no.dcm").write_text("no")
    assert main(["pacs", "store", str(tmp_path / "no.dcm")]) == 1
    assert main(["pacs", "retrieve", "1.2.3", "--out", str(tmp_path)]) == 1
    assert "holds no such study" in caplog.text
    assert main(["pacs", "query", "--date", "yesterday"]) == 1
