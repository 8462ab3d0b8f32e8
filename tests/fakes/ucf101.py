"""UCF101's lists for two folds, with its trap: folder and file differ in a letter's case."""

from pathlib import Path

from tests.fakes.dataset import FakeDataset, put_text, put_video

PUSHUPS = "HandstandPushups/v_HandStandPushups"


def build(root: Path) -> FakeDataset:
    names = ["Archery/v_Archery_g01_c01", "Archery/v_Archery_g02_c01", f"{PUSHUPS}_g01_c01"]
    names.append(f"{PUSHUPS}_g02_c01")
    for number, name in enumerate(names):
        # As some copies of the data set have it: the folder written like its files.
        put_video(root / "videos" / f"{name.replace('dstandP', 'dStandP')}.avi", number)
    lists = root / "ucfTrainTestlist"
    put_text(lists / "classInd.txt", "1 Archery\r\n2 HandstandPushups\r\n3 YoYo\r\n")
    for fold, test, train in ((1, "g01", "g02"), (2, "g02", "g01")):
        tests = [f"{name}.avi\r\n" for name in names if test in name]
        trains = [
            f"{name}.avi {1 + ('Hand' in name)}\r\n" for name in names if f"_{train}_" in name
        ]
        put_text(lists / f"testlist0{fold}.txt", "".join(tests))
        put_text(lists / f"trainlist0{fold}.txt", "".join(trains))
    return FakeDataset(
        data=root,
        layout="ucf101",
        num_items=4,
        class_names=("Archery", "HandstandPushups"),
        listed=root / "videos" / f"{names[0]}.avi",
        splits=frozenset({"train", "test"}),
        arguments={"fold": 2},
    )
