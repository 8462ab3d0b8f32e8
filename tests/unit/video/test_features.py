"""Feature files: `.npy`, `.npz`, `.h5`; checked shapes and numbers, nothing pickled."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch

from lrcn.errors import MediaError
from lrcn.video.features import is_feature_path, read_features

FEATURES = np.arange(12, dtype=np.float64).reshape(4, 3) / 7
EXPECTED = torch.from_numpy(FEATURES.astype(np.float32))


def test_npy(tmp_path):
    np.save(tmp_path / "v.npy", FEATURES)
    np.save(tmp_path / "one.npy", FEATURES[0])
    np.save(tmp_path / "half.npy", np.asfortranarray(FEATURES.astype(np.float16)))

    assert torch.equal(read_features(tmp_path / "v.npy"), EXPECTED)
    assert torch.equal(read_features(tmp_path / "v.npy", "any"), EXPECTED)
    assert read_features(tmp_path / "one.npy").shape == (1, 3)
    assert read_features(tmp_path / "half.npy").dtype == torch.float32


def test_npz_any_key(tmp_path):
    np.savez(tmp_path / "v.npz", whatever=FEATURES)
    np.savez_compressed(tmp_path / "many.npz", a=FEATURES, b=2 * FEATURES)

    assert torch.equal(read_features(tmp_path / "v.npz", "v"), EXPECTED)
    assert torch.equal(read_features(tmp_path / "many.npz", "x/a.avi"), EXPECTED)
    with pytest.raises(MediaError, match=r"holds 2 arrays \(a, b\), and none is named 'c'"):
        read_features(tmp_path / "many.npz", "c")
    with pytest.raises(MediaError, match="no video id was given"):
        read_features(tmp_path / "many.npz")


def test_h5_by_video_id(tmp_path):
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["Archery/v1"] = FEATURES
        file["Archery/v2"] = 2 * FEATURES

    assert torch.equal(read_features(tmp_path / "f.h5", "Archery/v1"), EXPECTED)
    assert torch.equal(read_features(tmp_path / "f.h5", "Archery/v2"), 2 * EXPECTED)
    with pytest.raises(MediaError, match="none is named 'v3'"):
        read_features(tmp_path / "f.h5", "v3")


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((2, 3, 4)), r"shape \(2, 3, 4\)"),
        (np.zeros((0, 4)), r"shape \(0, 4\)"),
        (
            np.array([[1.0, np.nan], [np.inf, 2]]),
            "2 values are not finite, the first at frame 0",
        ),
        (np.array([[1e300]]), "1 values are not finite"),
        (np.array([["a", "b"]]), "holds <U1"),
        (np.array([[1j]]), "holds complex128"),
        (np.array([[{}, None]], dtype=object), "cannot be read as features"),
    ],
)
def test_what_are_no_features_is_refused(tmp_path, array, reason):
    np.save(tmp_path / "v.npy", array, allow_pickle=True)

    with pytest.raises(MediaError, match=reason):
        read_features(tmp_path / "v.npy")


@pytest.mark.parametrize("suffix", ["npy", "npz", "h5"])
@pytest.mark.parametrize("damage", ["empty", "text", "cut", "flipped"])
def test_damage_is_a_media_error(tmp_path, suffix, damage):
    path = tmp_path / f"v.{suffix}"
    if suffix == "npy":
        np.save(path, FEATURES)
    elif suffix == "npz":
        np.savez_compressed(path, a=FEATURES)
    else:
        with h5py.File(path, "w") as file:
            file["v"] = FEATURES
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[:40] = bytes(40)
    broken = {"empty": b"", "text": b"hello", "cut": content[: len(content) // 2]}
    path.write_bytes(broken.get(damage, bytes(content)))

    with pytest.raises(MediaError, match=str(path)):
        read_features(path, "v")


def test_a_header_that_is_no_python_is_a_media_error(tmp_path):
    np.save(tmp_path / "v.npy", FEATURES)
    content = (tmp_path / "v.npy").read_bytes()
    (tmp_path / "v.npy").write_bytes(content.replace(b"}", b" ", 1))

    with pytest.raises(MediaError, match=r"v\.npy"):
        read_features(tmp_path / "v.npy")


def test_names(tmp_path):
    assert is_feature_path("a.NPY")
    assert not is_feature_path("a.mp4")
    with pytest.raises(MediaError, match="is no feature file"):
        read_features("a.mp4")
    with pytest.raises(MediaError, match="no such file"):
        read_features(tmp_path / "absent.npy")
