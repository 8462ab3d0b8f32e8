"""Features by video id: two in an .h5 file, one in an .npy file beside it."""

from pathlib import Path

import numpy as np
from tests.fakes.dataset import FakeDataset, put_text


def build(root: Path) -> FakeDataset:
    import h5py

    root.mkdir(parents=True, exist_ok=True)
    with h5py.File(root / "extracted_features_0.h5", "w") as file:
        for number, name in enumerate(("v_Run_g01_c01", "v_Läuft")):
            file[name] = np.full((3, 5), number, np.float32)
    np.save(root / "v_1.5 b.npy", np.zeros((2, 5), np.float32))
    text = "video_id,class\nv_Run_g01_c01,run\nv_Läuft,walk\nv_1.5 b,walk\n"
    put_text(root / "labels.csv", text)
    return FakeDataset(
        data=root,
        layout="features",
        num_items=3,
        class_names=("run", "walk"),
        listed=root / "v_1.5 b.npy",
    )
