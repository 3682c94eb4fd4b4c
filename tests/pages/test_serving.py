import pytest

from pages.components import serving


@pytest.fixture
def active(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The active versions by network, to be changed; loading them is recorded in ``loaded`` and costs nothing."""
    versions = {"findings": "one", "organs": "first", "loaded": ""}

    class Store:
        def active(self, network: str) -> str | None:
            if versions[network] == "damaged":
                raise ValueError("no JSON")
            return versions[network]

    def load(findings_version: str, organs_version: str) -> object:
        versions["loaded"] += f"{findings_version} {organs_version};"
        return object()

    monkeypatch.setattr("lung_models.weights.WeightStore", Store)
    monkeypatch.setattr("lung_models.reader.Reader.load", load)
    monkeypatch.setattr(serving, "_ready", None)
    serving._loaded.clear()
    yield versions
    serving._loaded.clear()


def test_the_reader_is_loaded_only_for_the_versions_active_now(active: dict[str, str]) -> None:
    assert not serving.reader_is_loaded()
    first = serving.shared_reader()
    assert serving.reader_is_loaded() and serving.shared_reader() is first
    active["findings"] = "two"
    assert not serving.reader_is_loaded()
    assert serving.shared_reader() is not first
    assert serving.reader_is_loaded()
    assert active["loaded"] == "one first;two first;"


def test_a_damaged_pointer_is_no_exception_before_reading(active: dict[str, str]) -> None:
    serving.shared_reader()
    active["organs"] = "damaged"
    assert not serving.reader_is_loaded()
