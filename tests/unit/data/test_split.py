"""Divisions: nothing on both sides, every class in every part, the same for the same seed."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrcn.data.datasets import read_dataset
from lrcn.data.leaks import check_leaks, refuse_leaks
from lrcn.data.split import BY_FILE_WARNING, divide, select, select_for_evaluation
from lrcn.data.split_file import data_hash, load_division, save_division
from lrcn.errors import ConfigError, DataError, LeakError, OutputError
from lrcn.structures import VideoItem, VideoList


def make_item(name: str, *labels: str, group: str | None = None, **fields: object) -> VideoItem:
    values = {"path": f"{name}.mp4", "video_id": name, **fields}
    return VideoItem(class_names=labels, group=group, **values)  # type: ignore[arg-type]


def make_list(items: list[VideoItem], **fields: object) -> VideoList:
    names = tuple(sorted({name for item in items for name in item.class_names}))
    grouping = "column" if any(item.group for item in items) else None
    values = {"class_names": names, "layout": "csv", "source": "DATA", "grouping": grouping}
    return VideoList(items=tuple(items), **{**values, **fields})  # type: ignore[arg-type]


def grouped(groups: int = 10, clips: int = 3, classes: str = "ab") -> VideoList:
    return make_list(
        [
            make_item(f"{c}{g}-{i}", c, group=f"{c}/g{g}")
            for c in classes
            for g in range(groups)
            for i in range(clips)
        ]
    )


def counts(video_list: VideoList) -> Counter[str]:
    return Counter(name for item in video_list.items for name in item.class_names)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.lists(st.integers(1, 6), min_size=3, max_size=8), min_size=2, max_size=4),
    seed=st.integers(0, 1000),
    order=st.randoms(use_true_random=False),
)
def test_groups_stay_whole_and_every_part_has_every_class(
    sizes: list[list[int]], seed: int, order: object
) -> None:
    items = [
        make_item(f"{c}{g}-{i}", f"class {c}", group=f"{c}/{g}")
        for c, groups in enumerate(sizes)
        for g, number in enumerate(groups)
        for i in range(number)
    ]
    video_list = make_list(items)

    division = divide(video_list, val_fraction=0.25, test_fraction=0.25, seed=seed)

    assert {i.video_id for i in division.items} == {i.video_id for i in items}
    sides: dict[str | None, set[str | None]] = defaultdict(set)
    for item in division.items:
        sides[item.group].add(item.split)
    assert all(len(parts) == 1 for parts in sides.values())
    for part in division.parts.values():
        assert set(counts(part)) == set(video_list.class_names)
    order.shuffle(items)  # type: ignore[attr-defined]
    again = divide(make_list(items), val_fraction=0.25, test_fraction=0.25, seed=seed)
    assert set(again.items) == set(division.items)


def test_is_stratified() -> None:
    division = divide(grouped(groups=10, clips=3), val_fraction=0.2)

    assert counts(division.train) == {"a": 24, "b": 24}
    assert division.val is not None
    assert counts(division.val) == {"a": 6, "b": 6}
    assert (division.how, division.val_how, division.warnings) == ("by group", "by group", ())


def test_seeds_differ() -> None:
    chosen = {
        frozenset(i.group for i in division.val.items)
        for division in (divide(grouped(), seed=seed) for seed in range(8))
        if division.val is not None
    }

    assert len(chosen) > 4


def test_several_labels_are_stratified_too() -> None:
    items = [
        make_item(f"x{i}", *("a", "b")[: 1 + i % 2], *(["c"] * (i % 5 == 0))) for i in range(40)
    ]
    division = divide(make_list(items, multi_label=True), val_fraction=0.25)

    assert division.val is not None
    assert counts(division.val) == {"a": 10, "b": 5, "c": 2}


def test_items_without_any_label_are_dealt_out() -> None:
    items = [make_item(f"x{i}", *(["a"] if i % 2 else [])) for i in range(20)]

    division = divide(make_list(items, multi_label=True), val_fraction=0.5)

    assert len(division.train) == 10


def test_without_groups_it_is_by_file_and_says_so() -> None:
    division = divide(make_list([make_item(f"{c}{i}", c) for c in "ab" for i in range(5)]))

    assert division.how == "by file"
    assert division.warnings == (BY_FILE_WARNING,)
    assert BY_FILE_WARNING.startswith("split: by file")


def test_intervals_of_one_video_stay_together() -> None:
    items = [
        make_item(f"v{v}", label, start_seconds=start, end_seconds=start + 1)
        for v in range(6)
        for start, label in ((0.0, "a"), (1.0, "b"))
    ]

    division = divide(make_list(items), val_fraction=0.5)

    assert division.val is not None
    assert not {i.path for i in division.val.items} & {i.path for i in division.train.items}
    assert len(division.val) == 6


def test_equal_files_stay_together(tmp_path: Path) -> None:
    items = []
    for c in "ab":
        for i in range(4):
            # The first two of a class are copies of one file.
            (tmp_path / f"{c}{i}.mp4").write_bytes(f"{c} {max(i, 1)}".encode())
            items.append(make_item(f"{c}{i}", c, path=str(tmp_path / f"{c}{i}.mp4")))

    for seed in range(10):
        division = divide(make_list(items), val_fraction=0.5, seed=seed)
        side = {i.video_id: i.split for i in division.items}
        assert side["a0"] == side["a1"]
        assert side["b0"] == side["b1"]
        assert any("4 files of equal content" in warning for warning in division.warnings)
        assert refuse_leaks(dict(division.parts)) == ()


def test_published_parts_are_kept_and_val_is_taken_from_train() -> None:
    items = [
        replace(item, split="test" if "g0" in (item.group or "") else "train")
        for item in grouped().items
    ]

    division = divide(make_list(items, official_split=True), val_fraction=0.2)

    assert division.test is not None
    assert {i.group for i in division.test.items} == {"a/g0", "b/g0"}
    assert (division.how, division.val_how) == ("official", "by group")
    assert division.val is not None
    assert len(division.val) in (10, 12)
    assert divide(make_list(items), val_fraction=0).how == "column"
    assert divide(make_list(items), val_fraction=0).val is None


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (
            [make_item(f"a{i}", "a") for i in range(5)] + [make_item("b0", "b")],
            r"class 'b' is too small to divide: 1 item in 1 file\. Each of the 2 parts",
        ),
        (
            [make_item(f"a{i}", "a", group=f"g{i}") for i in range(5)]
            + [make_item(f"b{i}", "b", group="studio") for i in range(5)],
            r"class 'b' is too small .* 5 items in 1 group \(studio, \.\.\.\).*--group-by file",
        ),
        ([make_item("a0", "a"), make_item("a1", "a")], r"has one class \(a\); two or more"),
        (
            [make_item("a0", "a", split="test"), make_item("b0", "b", split="val")],
            r"has no train part, only test, val",
        ),
    ],
)
def test_what_cannot_be_divided_is_named(items: list[VideoItem], message: str) -> None:
    with pytest.raises(DataError, match=message):
        divide(make_list(items))


def test_groups_of_several_classes_that_cannot_be_spared() -> None:
    items = [make_item("x", "a", "b", group="1"), make_item("y", "a", "b", group="1")]
    items += [make_item("z", "a", group="2"), make_item("w", "b", group="2")]

    division = divide(make_list(items, multi_label=True), val_fraction=0.5)

    assert {i.group for i in division.train.items} != {"1", "2"}


@pytest.mark.parametrize(
    ("fractions", "message"),
    [
        ({"val_fraction": -0.1}, "val_fraction is -0.1"),
        ({"val_fraction": 1.0}, "val_fraction is 1.0"),
        ({"val_fraction": 0.5, "test_fraction": 0.5}, "leave nothing to train on"),
    ],
)
def test_wrong_fractions(fractions: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        divide(grouped(), **fractions)


def test_selection_for_evaluation() -> None:
    plain = grouped(groups=2)
    with_test = make_list([replace(i, split="test") for i in plain.items[:2]] + [
        replace(i, split="train") for i in plain.items[2:]
    ])  # fmt: skip

    assert select_for_evaluation(plain) == (plain, "all")
    chosen, name = select_for_evaluation(with_test)
    assert (len(chosen), name) == (2, "test")
    assert len(select(with_test, "train")) == 10
    assert select_for_evaluation(with_test, "train")[1] == "train"
    with pytest.raises(DataError, match=r"has no val part; it has test, train"):
        select_for_evaluation(with_test, "val")
    with pytest.raises(DataError, match=r"it has no split at all"):
        select(plain, "test")


def test_leak_by_group_by_file_and_by_content(tmp_path: Path) -> None:
    for name, content in (("a", "1"), ("b", "2"), ("copy", "1"), ("long", "12345")):
        (tmp_path / f"{name}.mp4").write_text(content)
    a, b, copy, long = (
        make_item(name, "x", path=str(tmp_path / f"{name}.mp4"))
        for name in ("a", "b", "copy", "long")
    )

    assert check_leaks(make_list([a, long]), make_list([b])) == ()
    (leak,) = check_leaks(make_list([a, b]), make_list([copy, long]))
    assert (leak.kind, leak.train_ids, leak.other_ids) == ("content", ("a",), ("copy",))
    halves = [replace(long, start_seconds=s, end_seconds=s + 1) for s in (0.0, 5.0)]
    (leak,) = check_leaks(make_list(halves[:1]), make_list(halves[1:]))
    assert (leak.kind, leak.name) == ("file", long.path)
    left, right = replace(a, group="g"), replace(b, group="g")
    (leak,) = check_leaks(make_list([left]), make_list([right]))
    assert (leak.kind, str(leak)) == ("group", "group g (a and b)")


def test_one_leak_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("1")
    item = make_item("a", "x", group="g", path=str(tmp_path / "a.mp4"))

    assert [leak.kind for leak in check_leaks(make_list([item]), make_list([item]))] == ["group"]


def test_leaks_are_refused_with_the_first_five() -> None:
    video_list = grouped(groups=4, clips=2)
    left = make_list([i for i in video_list.items if i.video_id.endswith("0")])
    right = make_list([i for i in video_list.items if i.video_id.endswith("1")])

    with pytest.raises(LeakError, match=r"8 sources on both sides: group a/g0 .*; and 3 more"):
        refuse_leaks({"train": left, "test": right})
    allowed = refuse_leaks({"train": left, "test": right}, allow_leaks=True)
    assert len(allowed) == 8
    assert allowed[0][:2] == ("train", "test")


def test_features_of_one_file_do_not_leak(tmp_path: Path) -> None:
    (tmp_path / "f.h5").write_bytes(b"x")
    one, two = (make_item(n, "x", path=str(tmp_path / "f.h5")) for n in ("one", "two"))

    assert check_leaks(make_list([one]), make_list([two])) == ()


def real_list(root: Path) -> VideoList:
    for c in ("ä b", "c"):
        for g in (1, 2, 3, 4):
            (root / c).mkdir(parents=True, exist_ok=True)
            (root / c / f"v, {c}_g0{g}_c01.mp4").write_text(f"{c}{g}")
    return read_dataset(root)


def test_saved_division_is_taken_up_again(tmp_path: Path) -> None:
    video_list = real_list(tmp_path / "data")
    division = divide(video_list, val_fraction=0.25, test_fraction=0.25, seed=3)

    save_division(division, tmp_path / "run" / "split.csv")
    again = load_division(tmp_path / "run" / "split.csv", real_list(tmp_path / "data"))

    assert set(again.items) == set(division.items)
    assert replace(again, train=division.train, val=division.val, test=division.test) == division
    assert not list((tmp_path / "run").glob(".*"))


def test_saved_division_is_a_data_set_itself(tmp_path: Path) -> None:
    division = divide(real_list(tmp_path / "data"), val_fraction=0.25)

    save_division(division, tmp_path / "data" / "split.csv")
    video_list = read_dataset(tmp_path / "data" / "split.csv")

    assert {(i.video_id, i.split, i.group) for i in video_list.items} == {
        (i.video_id, i.split, i.group) for i in division.items
    }
    assert "/" + tmp_path.name not in (tmp_path / "data" / "split.csv").read_text()
    assert len(read_dataset(tmp_path / "data")) == 8


def test_names_that_are_no_text_survive(tmp_path: Path) -> None:
    for c in (b"a", b"b"):
        folder = tmp_path / "data" / c.decode()
        folder.mkdir(parents=True)
        for i in (b"1", b"2"):
            (folder / os.fsdecode(b"\xe9" + i + b".mp4")).write_bytes(c + i)
    video_list = read_dataset(tmp_path / "data")
    division = divide(video_list, val_fraction=0.5)

    save_division(division, tmp_path / "data" / "split.csv")

    assert load_division(tmp_path / "data" / "split.csv", video_list).items == division.items
    assert set(read_dataset(tmp_path / "data" / "split.csv").items) == set(division.items)


def test_class_without_training_items_is_warned_of() -> None:
    items = [make_item(f"{c}{i}", c, split="train") for c in "ab" for i in range(4)]
    items.append(make_item("c0", "c", split="test"))

    division = divide(make_list(items))

    assert any("1 class without any item to train on: c" in w for w in division.warnings)


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_division_of_other_data_is_refused(tmp_path: Path) -> None:
    video_list = real_list(tmp_path / "data")
    file = tmp_path / "split.csv"
    save_division(divide(video_list), file)

    (tmp_path / "data" / "c" / "v_c_g09_c01.mp4").touch()
    with pytest.raises(DataError, match=r"another state of .*: 1 item not in it \(c/v_c_g09_c01"):
        load_division(file, read_dataset(tmp_path / "data"))
    fewer = replace(video_list, items=video_list.items[1:])
    with pytest.raises(DataError, match="1 item gone"):
        load_division(file, fewer)
    relabelled = [replace(video_list.items[0], class_names=("ä b",)), *video_list.items[1:]]
    with pytest.raises(DataError, match="other labels or groups"):
        load_division(file, replace(video_list, items=tuple(relabelled)))


def test_changed_or_foreign_division_file_is_refused(tmp_path: Path) -> None:
    video_list = real_list(tmp_path / "data")
    file = tmp_path / "split.csv"
    save_division(divide(video_list), file)

    change(file, ",train,", ",val,")
    with pytest.raises(DataError, match="was changed after it was written"):
        load_division(file, video_list)
    file.write_text("path,label\na.mp4,x\n")
    with pytest.raises(DataError, match="not a division that this program wrote"):
        load_division(file, video_list)
    with pytest.raises(DataError, match="cannot be read as a saved division"):
        load_division(tmp_path / "nowhere.csv", video_list)


def test_division_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(OutputError, match="cannot be written"):
        save_division(divide(grouped()), tmp_path / "file" / "split.csv")


def test_data_hash_is_of_what_matters() -> None:
    items = grouped(groups=2).items

    moved = [replace(i, path=f"elsewhere/{i.path}", split="val") for i in reversed(items)]
    assert data_hash(moved) == data_hash(items)
    assert data_hash(items[1:]) != data_hash(items)
    assert data_hash([replace(items[0], group="x"), *items[1:]]) != data_hash(items)
