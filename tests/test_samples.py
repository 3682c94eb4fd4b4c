import pytest

from lung_models import samples
from lung_models.decode import decode
from lung_models.radiograph import Refusal


@pytest.mark.parametrize("sample", [samples.CHEST, samples.LEG])
def test_samples_decode(sample: samples.Sample) -> None:
    assert decode(samples.sample_bytes(sample), sample.name).origin == "dicom"


def test_a_missing_package_is_a_refusal_that_says_what_to_do() -> None:
    with pytest.raises(Refusal, match="pip install pydicom-data"):
        samples.sample_bytes(samples.Sample("NOT_THERE.dcm", "Sample"))
