import numpy as np
import pytest

from lung_models.opened import KEPT_READINGS, OpenStudies, decode_study, read_study, without_score
from lung_models.radiograph import Radiograph, Refusal
from lung_models.reading import Reading

PATIENT = "DOE^JOHN"


def decode(data: bytes, name: str) -> Radiograph:
    if data == b"bad":
        raise Refusal("The file is not an image.")
    if data == b"crash":
        raise ValueError(PATIENT)
    return Radiograph(np.full((200, 100), 0.5, np.float32), name, "raster")


def read(radiograph: Radiograph, decode_milliseconds: float) -> Reading:
    return without_score(radiograph, "Not a chest.")


def opened(*files: bytes) -> OpenStudies:
    studies = OpenStudies()
    for i, data in enumerate(files):
        studies.add(f"file {i}", data)
    return studies


def test_first_study_is_shown_and_steps_stop_at_the_ends() -> None:
    studies = opened(b"a", b"b")
    assert studies.current is studies.studies[0]
    studies.step(-1)
    assert studies.current is studies.studies[0]
    studies.step(5)
    assert studies.current is studies.studies[1]


def test_removing_frees_and_shows_the_neighbour() -> None:
    studies = opened(b"a", b"b", b"c")
    studies.step(1)
    studies.remove(2)
    assert [study.name for study in studies.studies] == ["file 0", "file 2"]
    assert studies.current is studies.studies[1]
    studies.remove(3)
    studies.remove(1)
    assert studies.current is None and studies.waiting() is None
    studies.remove(1)  # twice is harmless


def test_a_study_is_read_once_and_keeps_a_thumbnail() -> None:
    studies = opened(b"a")
    study = studies.studies[0]
    read_study(study, decode, read)
    assert (study.state, study.outcome) == ("refused", "Not a chest.")
    assert study.thumbnail is not None and study.thumbnail.shape == (96, 48) and study.thumbnail[0, 0] == 128
    first = study.reading
    read_study(study, decode, read)
    assert study.reading is first
    assert studies.waiting() is None


@pytest.mark.parametrize(("data", "reason"), [(b"bad", "not an image"), (b"crash", "ValueError")])
def test_what_cannot_be_decoded_says_why(data: bytes, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    study = opened(data).studies[0]
    decode_study(study, decode)
    assert study.state == "unreadable" and reason in study.outcome
    read_study(study, decode, read)
    assert study.reading is None
    assert PATIENT not in study.outcome + caplog.text


def test_a_failing_reader_becomes_a_refusal(caplog: pytest.LogCaptureFixture) -> None:
    def fail(radiograph: Radiograph, decode_milliseconds: float) -> Reading:
        raise RuntimeError(PATIENT)

    study = opened(b"a").studies[0]
    read_study(study, decode, fail)
    assert study.reading is not None and not study.reading.accepted
    assert "RuntimeError" in study.outcome and PATIENT not in study.outcome + caplog.text


def test_only_studies_shown_lately_keep_their_pictures() -> None:
    studies = opened(*[b"a"] * (KEPT_READINGS + 2))
    for study in studies.studies:
        studies.show(study.number)
        read_study(study, decode, read)
    studies.release()
    kept = [study.radiograph is not None for study in studies.studies]
    assert kept == [False, False] + [True] * KEPT_READINGS
    assert all(study.state == "refused" for study in studies.studies)  # and what came out is still known
