import gc
import json
import re
import weakref
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from lung_models.radiograph import Refusal
from pages.components.notice import NOTICE
from tests.pages.conftest import ROOT, MadeUpReader

PAGES = sorted(path.stem for path in (ROOT / "pages").glob("*.py") if path.stem != "__init__")


def components(app: AppTest, name: str) -> list:
    return [one.proto for one in app.get("bidi_component") if one.proto.component_name == name]


def panel(app: AppTest) -> dict:
    return json.loads(components(app, "lungs_findings_panel")[0].json)


def upload(app: AppTest, *files: tuple[str, bytes]) -> AppTest:
    return app.file_uploader[0].set_value([(name, data, "application/octet-stream") for name, data in files]).run()


def texts(elements: object) -> str:
    return " ".join(one.value for one in elements)  # type: ignore[attr-defined]


@pytest.mark.parametrize("page", PAGES)
def test_executing_a_page_file_alone_draws_nothing(page: str) -> None:
    run = AppTest.from_string(f"import runpy\nrunpy.run_path({str(ROOT / 'pages' / f'{page}.py')!r})").run()
    assert not run.exception
    assert len(run.main) == 0 and len(run.sidebar) == 0


def test_opens_on_the_sample_with_six_findings(app: AppTest) -> None:
    app.run()
    assert not app.exception
    assert NOTICE in app.get("html")[0].proto.body
    assert len(panel(app)["rows"]) == 6
    assert len(components(app, "lungs_viewer")) == 1
    assert app.session_state.studies.current.sample


def test_uploads_join_the_worklist_and_the_first_is_shown(app: AppTest, chest_file: Path) -> None:
    upload(app.run(), ("one.dcm", chest_file.read_bytes()), ("leg.dcm", chest_file.read_bytes()))
    assert [study.name for study in app.session_state.studies.studies] == ["Sample: chest", "one.dcm", "leg.dcm"]
    assert app.session_state.studies.current.name == "one.dcm"
    assert [study.state for study in app.session_state.studies.studies] == ["read", "read", "refused"]
    assert not app.file_uploader[0].value  # the worklist alone holds them
    next(button for button in app.button if button.label == "Next").click().run()
    assert app.session_state.studies.current.name == "leg.dcm"
    assert "Two lungs were not found" in texts(app.warning)
    assert panel(app)["rows"] == []


def test_averaging_reads_open_and_later_studies_again_with_a_spread(app: AppTest, chest_file: Path) -> None:
    upload(app.run(), ("one.dcm", chest_file.read_bytes()), ("leg.dcm", chest_file.read_bytes()))
    studies = app.session_state.studies
    assert not app.toggle(key="averaged").value and not app.session_state.studies.averaged
    outcomes = [study.outcome for study in studies.studies]
    app.toggle(key="averaged").set_value(True).run()
    assert not app.exception
    assert all(row["spread"] for row in panel(app)["rows"])
    assert [study.averaged for study in studies.studies] == [True, True, False]  # refused either way: not read again
    assert [study.outcome for study in studies.studies] == outcomes
    upload(app, ("two.dcm", chest_file.read_bytes()))
    assert studies.current.name == "two.dcm" and studies.current.reading.averaged
    app.toggle(key="averaged").set_value(False).run()
    assert not any(row["spread"] for row in panel(app)["rows"])
    assert not any(study.averaged for study in studies.studies)


def test_removing_frees_the_picture(app: AppTest, chest_file: Path) -> None:
    upload(app.run(), ("one.dcm", chest_file.read_bytes()))
    studies = app.session_state.studies
    held = weakref.ref(studies.current.radiograph)
    app.button(key=f"remove_{studies.current.number}").click().run()
    del studies
    gc.collect()
    assert held() is None
    assert [study.name for study in app.session_state.studies.studies] == ["Sample: chest"]


def test_an_empty_worklist_says_what_to_do(app: AppTest) -> None:
    app.run()
    app.button(key="remove_1").click().run()
    assert "payload" not in app.session_state
    assert not app.exception and "Drop a file" in texts(app.info)


def test_a_file_that_is_no_image_says_so_in_one_line(app: AppTest) -> None:
    upload(app.run(), ("notes.dcm", b"only text\n" * 50))
    assert not app.exception
    assert len(app.error) == 1 and "not an image" in app.error[0].value
    assert components(app, "lungs_viewer") == []


def test_a_file_name_cannot_format_or_link(app: AppTest) -> None:
    upload(app.run(), ("[x](http://a) :a: *b*", b"only text"))
    label = app.button(key="show_2").label
    assert not set("[]()*:") & set(re.sub(r"\\.", "", label))  # every sign has its backslash
    assert "\\[" in label and "\\*" in label  # and none was just left out


def test_without_weights_there_is_a_picture_a_reason_and_no_score(
    app: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none() -> None:
        raise Refusal("No findings model is active: train one.")

    monkeypatch.setattr("pages.read.shared_reader", none)
    app.run()
    assert not app.exception
    assert "No findings model is active" in texts(app.warning)
    assert panel(app)["rows"] == [] and len(components(app, "lungs_viewer")) == 1


def test_a_study_refused_for_want_of_weights_is_read_when_tried_again(
    app: AppTest, monkeypatch: pytest.MonkeyPatch, chest_file: Path
) -> None:
    def none() -> None:
        raise Refusal("No findings model is active: train one.")

    monkeypatch.setattr("pages.read.shared_reader", none)
    upload(app.run(), ("one.dcm", chest_file.read_bytes()))
    picture_alone = components(app, "lungs_viewer")[0].SerializeToString()
    monkeypatch.setattr("pages.read.shared_reader", MadeUpReader)
    next(button for button in app.button if button.label == "Try again").click().run()
    assert [study.state for study in app.session_state.studies.studies] == ["read", "read"]
    assert len(panel(app)["rows"]) == 6
    assert components(app, "lungs_viewer")[0].SerializeToString() != picture_alone  # the layers came with the reading
    assert all(button.label != "Try again" for button in app.button)


def test_a_refusal_by_the_picture_itself_is_not_tried_again(app: AppTest, chest_file: Path) -> None:
    upload(app.run(), ("leg.dcm", chest_file.read_bytes()))
    assert "Two lungs were not found" in texts(app.warning)
    assert all(button.label != "Try again" for button in app.button)


def test_a_rerun_sends_the_viewer_the_very_same_message(app: AppTest) -> None:
    first = components(app.run(), "lungs_viewer")[0].SerializeToString()
    assert components(app.run(), "lungs_viewer")[0].SerializeToString() == first
