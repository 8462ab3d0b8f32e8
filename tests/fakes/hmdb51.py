"""HMDB51's lists: 1 is train, 2 is test, 0 is not used; names with signs and blanks."""

from pathlib import Path

from tests.fakes.dataset import FakeDataset, put_text, put_video

CLIPS = {
    "brush_hair": {"#20_Ünder_brush_hair_u_nm_np1_ba_goo_0.avi": 1,
                   "April_09_brush_hair_u_nm_np1_ba_goo_0.avi": 2,
                   "April_10_brush_hair_u_nm_np1_ba_goo_0.avi": 0},
    "wave": {"(A) b!_wave_f_cm_np1_ba_med_0.avi": 1,
             "c_wave_f_cm_np1_ba_med_1.avi": 2},
}  # fmt: skip


def build(root: Path) -> FakeDataset:
    number = 0
    for class_name, clips in CLIPS.items():
        lines = [f"{name} {part} \n" for name, part in clips.items()]
        lists = root / "testTrainMulti_7030_splits"
        put_text(lists / f"{class_name}_test_split1.txt", "".join(lines))
        for name in clips:
            put_video(root / class_name / name, number)
            number += 1
    return FakeDataset(
        data=root,
        layout="hmdb51",
        num_items=4,
        class_names=("brush_hair", "wave"),
        listed=root / "wave" / "c_wave_f_cm_np1_ba_med_1.avi",
        splits=frozenset({"train", "test"}),
    )
