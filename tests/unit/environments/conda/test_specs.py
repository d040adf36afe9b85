"""What people write for a Conda package."""

from __future__ import annotations

import pytest

from wetlands.environments.conda.specs import canonical_spec, channels_of, python_spec, split_spec
from wetlands.errors import ConfigurationError


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("NumPy", "numpy"),
        ("numpy>=1.26, <2", "numpy >=1.26,<2"),
        ("numpy  >= 1.26,<2 ", "numpy >=1.26,<2"),
        ("cellpose==3.1.0", "cellpose ==3.1.0"),
        ("nvidia::cuda-toolkit=11.*", "nvidia::cuda-toolkit =11.*"),
        ("numpy=1.26=py311_0", "numpy =1.26=py311_0"),
        ("numpy 1.26.* py311*", "numpy 1.26.* py311*"),
        ("https://host/channel::thing 1 | 2", "https://host/channel::thing 1|2"),
        ("file:///a/b::thing", "file:///a/b::thing"),
        ("conda-forge/label/dev::thing", "conda-forge/label/dev::thing"),
        ("thing[version='>=1']", "thing [version='>=1']"),
        ("__cuda", "__cuda"),
    ],
)
def test_spellings_of_one_wish_are_one(written: str, canonical: str) -> None:
    assert canonical_spec(written) == canonical
    assert canonical_spec(canonical) == canonical


@pytest.mark.parametrize("written", ["", "-c conda-forge", "numpy scipy", "a b c", "::", "x::"])
def test_what_is_no_spec_is_refused_with_what_to_write(written: str) -> None:
    with pytest.raises(ConfigurationError, match=r"write a name"):
        canonical_spec(written)


def test_a_spec_has_three_parts() -> None:
    assert split_spec("nvidia::Cuda >=11") == ("nvidia", "cuda", ">=11")
    assert channels_of(["a::x", "y", "b::z", "a::w"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("request_", "spec"),
    [
        ("", "python"),
        ("==3.11.*", "python 3.11.*"),
        ("==3.11.7", "python ==3.11.7"),
        (">=3.9, <3.12", "python >=3.9,<3.12"),
        ("!=3.10.*,>=3.9", "python !=3.10.*,>=3.9"),
    ],
)
def test_a_python_request_becomes_a_spec(request_: str, spec: str) -> None:
    assert python_spec(request_) == spec
