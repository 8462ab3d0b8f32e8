"""Lists of captions as people write them: what is read, what is noted, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.captions import put_json, put_photo
from tests.fakes.dataset import put_text, put_video

from lrcn.data.captions import holds_captions, read_captions
from lrcn.errors import ConfigError, DataError, MissingFilesError
from lrcn.structures import CaptionList


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for number, name in enumerate(("a.jpg", "b.jpg", "c.jpg")):
        put_photo(tmp_path / name, number)
    return tmp_path


def captions_of(found: CaptionList) -> dict[str, tuple[str, ...]]:
    return {item.item_id: item.captions for item in found.items}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("l.csv", "path,caption\na.jpg,A dog, running.\na.jpg,\"Two, dogs\"\nb.jpg,A cat\n"),
        ("l.csv", "image;comment\r\na.jpg;A dog, running.\r\na.jpg;Two, dogs\r\nb.jpg;A cat\r\n"),
        ("l.tsv", "caption\tfile_name\nA dog, running.\ta.jpg\nTwo, dogs\ta.jpg\nA cat\tb.jpg"),
        ("l.txt", "a.jpg\tA dog, running.\na.jpg\tTwo, dogs\nb.jpg\tA cat\n"),
        ("l.csv", "a.jpg,A dog, running.\na.jpg,Two, dogs\nb.jpg,A cat\n"),
        ("l.csv", "image_name| comment_number| comment\na.jpg| 0| A dog, running.\n"
                  "a.jpg| 1| Two, dogs\nb.jpg| 0| A cat\n"),
        ("l.csv", "path,captions\na.jpg,\"[\"\"A dog, running.\"\", \"\"Two, dogs\"\"]\"\n"
                  "b.jpg,['A cat']\n"),
        ("l.csv", "path,caption 1,caption 2\na.jpg,\"A dog, running.\",\"Two, dogs\"\n"
                  "b.jpg,A cat,\n"),
        ("l.jsonl", '{"image": "a.jpg", "caption": "A dog, running."}\n'
                    '{"image": "a.jpg", "caption": "Two, dogs"}\n'
                    '{"image": "b.jpg", "caption": "A cat"}'),
        ("l.json", '[{"file": "a.jpg", "sentences": [{"raw": "A dog, running."}, "Two, dogs"]},'
                   ' {"file": "b.jpg", "sentences": ["A cat"]}]'),
        ("l.json", '{"a.jpg": ["A dog, running.", "Two, dogs"], "b.jpg": "A cat"}'),
    ],
)  # fmt: skip
def test_plain_lists(photos: Path, name: str, text: str) -> None:
    found = read_captions(put_text(photos / name, text))

    assert captions_of(found) == {"a.jpg": ("A dog, running.", "Two, dogs"), "b.jpg": ("A cat",)}
    assert found.media == "image"
    assert {i.split for i in found.items} == {None}
    assert found.layout == ("jsonl" if ".json" in name else "csv")
    if not text.startswith("a.jpg"):
        assert captions_of(read_captions(photos)) == captions_of(found)  # the folder of the list


def test_quotes_in_a_list_without_quoting(photos: Path) -> None:
    text = 'path\tcaption\na.jpg\t"Hi" he says\nb.jpg\tHe says "hi"\nc.jpg\t"Hi"\n'

    assert captions_of(read_captions(put_text(photos / "l.tsv", text))) == {
        "a.jpg": ('"Hi" he says',),
        "b.jpg": ('He says "hi"',),
        "c.jpg": ('"Hi"',),
    }


def test_quoted_caption_over_two_lines(photos: Path) -> None:
    text = 'path,caption\na.jpg,"A dog\nruns."\nb.jpg,A cat\n'

    assert captions_of(read_captions(put_text(photos / "l.csv", text)))["a.jpg"] == ("A dog runs.",)


def test_named_columns(photos: Path) -> None:
    path = put_text(photos / "l.csv", "bild,satz\na.jpg,Ein Hund\n")
    found = read_captions(path, columns={"path": "Bild", "caption": "satz"})

    assert captions_of(found) == {"a.jpg": ("Ein Hund",)}
    with pytest.raises(DataError, match=r"no column 'sats' .* Did you mean 'satz'"):
        read_captions(path, columns={"path": "bild", "caption": "sats"})
    with pytest.raises(ConfigError, match=r"'captoin' is no role .* Did you mean 'caption'"):
        read_captions(path, columns={"captoin": "satz"})


def test_lists_by_part(photos: Path) -> None:
    put_text(photos / "train.csv", "path,caption\na.jpg,A dog\nb.jpg,A cat\n")
    put_text(photos / "captions_test.csv", "path,caption\nc.jpg,A bird\n")
    found = read_captions(photos)

    assert {i.item_id: i.split for i in found.items} == {
        "a.jpg": "train",
        "b.jpg": "train",
        "c.jpg": "test",
    }


def test_two_lists_of_no_part(photos: Path) -> None:
    put_text(photos / "one.csv", "path,caption\na.jpg,A dog\n")
    put_text(photos / "two.csv", "path,caption\nb.jpg,A cat\n")

    with pytest.raises(DataError, match=r"2 lists of captions: one\.csv, two\.csv"):
        read_captions(photos)
    assert holds_captions(photos)


def test_empty_captions_are_left_out_and_counted(photos: Path) -> None:
    rows = [
        {"path": "a.jpg", "captions": ["A dog", "", " \n", ".", None]},
        {"path": "b.jpg", "captions": ["..."]},
        {"path": "c.jpg", "captions": ["😀"]},
    ]
    found = read_captions(put_json(photos / "l.json", rows))

    assert captions_of(found) == {"a.jpg": ("A dog",), "c.jpg": ("😀",)}
    assert found.notes == ("5 empty captions left out", "1 image without a caption left out")
    assert [(Path(s.path).name, s.reason) for s in found.skipped] == [("b.jpg", "has no caption")]


def test_broken_characters_are_told(photos: Path) -> None:
    text = '[{"path": "a.jpg", "caption": "A \\ud83d dog"}, {"path": "b.jpg", "caption": "Stra�e"}]'
    found = read_captions(put_text(photos / "l.json", text))

    assert captions_of(found) == {"a.jpg": ("A � dog",), "b.jpg": ("Stra�e",)}
    assert "1 caption with characters that are no text" in found.notes[0]
    assert "1 caption with �: characters were lost" in found.notes[1]
    json.dumps(captions_of(found), ensure_ascii=False).encode()


def test_other_encodings_are_refused(photos: Path) -> None:
    path = photos / "l.csv"
    path.write_bytes("path,caption\na.jpg,Straße\n".encode("latin-1"))

    with pytest.raises(DataError, match=r"not UTF-8 text \(line 2, byte 23: df\).*as UTF-8"):
        read_captions(path)
    path.write_bytes("path,caption\na.jpg,A dog\n".encode("utf-16"))
    with pytest.raises(DataError, match=r"not UTF-8 text \(line 1, byte 0: ff\)"):
        read_captions(path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("l.csv", "", "is empty; a list has one line per caption"),
        ("l.csv", "path,caption\n", "has a header and no line below it"),
        ("l.csv", "path,label\na.jpg,dog\n", "its first line is .path,label.. A list has a header"),
        ("l.csv", "path,caption,caption\na.jpg,x,y\n", "the column 'caption' twice"),
        ("l.csv", "caption,path\nA dog, running,a.jpg\n", "line 2 has 3 cells where the header"),
        ("l.csv", 'path,caption\na.jpg,"A dog\nb.jpg,A cat\n', "line 2: unexpected end of data"),
        ("l.csv", "path,caption\n,A dog\n", "line 2 has no path"),
        ("l.csv", "path,caption,split\na.jpg,A,tain\n", "'tain' is unknown.*Did you mean 'train'"),
        ("l.csv", "path,caption,split\na.jpg,A,train\nb.jpg,B,\n", "1 line of 2 .*without a split"),
        ("l.csv", "path,caption,start,end\na.jpg,A,2,1\n", "the interval 2.0 to 1.0 seconds"),
        ("l.csv", "a.jpg,A dog\nno,A cat\n", "line 2: 'no' is no photo or video"),
        ("l.jsonl", '{"path": "a.jpg", "caption": "A"}\n{"path": ', "line 2 is not JSON"),
        ("l.jsonl", '{"path": "a.jpg", "caption": "A"}\n[1]', "line 2 is .1.; every line is one"),
        ("l.jsonl", '{"path": "a.jpg", "caption": {"x": 1}}', "line 1: a caption is .*; text is"),
        ("l.jsonl", '{"path": "a.jpg", "caption": ""}', "no caption for any of its 1 item"),
        ("l.json", '{"images": [{"id": 1, "file_na', "not JSON: .*damaged or cut off"),
        ("l.json", '{"images": [], "annotations": []}', "lists no photo and no video"),
        ("l.json", '{"images": 3}', "images is 3; a list of objects"),
        ("l.json", '{"images": [{"id": 1}]}', "images.0. has file_name null"),
        ("l.json", '[{"image_id": 1, "caption": "A dog"}]', "lrcn score --hypotheses l.json"),
        ("l.json", "[1, 2]", "entry 1 is 1; every line is one object"),
        ("a.jpg", "x", "is one photo or video, not a data set"),
    ],
)
def test_refused(photos: Path, name: str, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_captions(put_text(photos / name, text))


def coco(images: list[dict[str, Any]], captions: list[tuple[Any, Any]]) -> dict[str, Any]:
    annotations = [
        {"id": n, "image_id": image_id, "caption": text}
        for n, (image_id, text) in enumerate(captions)
    ]
    return {"images": images, "annotations": annotations}


def test_one_id_for_two_images(photos: Path) -> None:
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "b.jpg"}]

    with pytest.raises(DataError, match=r"the id 1 stands for a\.jpg .*images\[0\].* and for b"):
        read_captions(put_json(photos / "l.json", coco(images, [(1, "A dog")])))


def test_one_image_listed_twice(photos: Path) -> None:
    same = [{"id": 1, "file_name": "a.jpg"}, {"id": 1, "file_name": "a.jpg"}]
    found = read_captions(put_json(photos / "l.json", coco(same, [(1, "A dog")])))

    assert captions_of(found) == {"1": ("A dog",)}


def test_one_image_under_two_ids(photos: Path) -> None:
    images = [{"id": 1, "file_name": "a.jpg"}, {"id": "2", "file_name": "a.jpg"}]
    found = read_captions(put_json(photos / "l.json", coco(images, [(1, "A dog"), (2, "One")])))

    assert captions_of(found) == {"1": ("A dog",), "2": ("One",)}
    assert "1 file listed under several ids" in found.notes[0]


def test_captions_of_images_that_are_not_listed(photos: Path) -> None:
    images = [{"id": 1, "file_name": "a.jpg", "split": "val"}]
    document = coco(images, [(1, "A dog"), (9, "x"), (9, "y")])
    found = read_captions(put_json(photos / "l.json", document))

    assert found.notes == ("2 captions of 1 image that l.json does not list left out",)
    assert found.items[0].split == "val"


def test_ids_may_be_texts_or_numbers_and_must_meet(photos: Path) -> None:
    images = [{"id": 1.0, "file_name": "a.jpg"}, {"id": "2", "file_name": "b.jpg"}]
    path = put_json(photos / "l.json", coco(images, [("1", "A dog"), (2, "A cat")]))
    assert captions_of(read_captions(path)) == {"1": ("A dog",), "2": ("A cat",)}

    put_json(path, coco([{"id": "0001", "file_name": "a.jpg"}], [(1, "A dog")]))
    with pytest.raises(DataError, match=r"annotations are of the images 1, none .*\(0001\)"):
        read_captions(path)


def test_the_line_of_flickr30k_without_a_bar(photos: Path) -> None:
    header = "image_name| comment_number| comment\n"
    lines = "a.jpg| 3| A dog sits .\na.jpg| 4   A dog runs across the grass .\nb.jpg| 0| A cat\n"
    found = read_captions(put_text(photos / "results.csv", header + lines))
    assert found.items[0].captions == ("A dog sits .", "A dog runs across the grass .")

    put_text(photos / "results.csv", header + "a.jpg| 4 | A dog\na.jpg| A cat\n")
    with pytest.raises(DataError, match="line 3 has 2 cells where the header has 3"):
        read_captions(photos / "results.csv")


def test_instances_are_no_captions(photos: Path) -> None:
    document = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1}]}

    with pytest.raises(DataError, match=r"has no caption .it has image_id.*captions_\*"):
        read_captions(put_json(photos / "l.json", document))


def test_caption_in_two_parts(photos: Path) -> None:
    text = "path,caption,split\na.jpg,A,train\na.jpg,B,test\n"

    with pytest.raises(DataError, match=r"a\.jpg stands in the part train .* and in test"):
        read_captions(put_text(photos / "l.csv", text))


def test_images_are_found_below_the_named_folder(tmp_path: Path) -> None:
    put_photo(tmp_path / "photos" / "2014" / "One.JPG")
    put_photo(tmp_path / "photos" / "x" / "two.png", 1)
    put_photo(tmp_path / "photos" / "y" / "two.png", 2)
    listed = put_text(
        tmp_path / "l.csv", "path,caption\none.jpg,A\ny/two.png,B\nfar/one.jpeg,C\nx/two,D\n"
    )
    found = read_captions(listed, images=tmp_path / "photos")

    places = [Path(i.path).relative_to(tmp_path / "photos").as_posix() for i in found.items]
    assert places == ["2014/One.JPG", "y/two.png", "2014/One.JPG", "x/two.png"]
    ambiguous = put_text(tmp_path / "m.csv", "path,caption\none.jpg,A\ntwo.png,B\n")
    with pytest.raises(
        MissingFilesError,
        match=r"the first: .*photos/two\.png \(m\.csv, line 3\): several .*x/two.*y/two.*folder",
    ):
        read_captions(ambiguous, images=tmp_path / "photos")
    (skipped,) = read_captions(ambiguous, images=tmp_path / "photos", missing="skip").skipped
    assert skipped.reason.startswith("several files have this name")


def test_nothing_found_at_all(photos: Path) -> None:
    path = put_text(photos / "l.csv", "path,caption\nx.jpg,A\ny.jpg,B\n")

    for missing in ("error", "skip"):
        with pytest.raises(MissingFilesError, match=r"none of the 2 files .*\(--images\)"):
            read_captions(path, missing=missing)  # type: ignore[arg-type]


def test_photos_or_videos(photos: Path) -> None:
    put_video(photos / "v.mp4")
    (photos / "g.gif").write_bytes((photos / "a.jpg").read_bytes())
    mixed = put_text(photos / "mixed.csv", "path,caption\na.jpg,A\nv.mp4,B\n")
    gif = put_text(photos / "gif.csv", "path,caption\ng.gif,A\na.jpg,B\n")
    film = put_text(photos / "film.csv", "path,caption\nv.mp4,A\n")

    with pytest.raises(DataError, match=r"photos \(a\.jpg\) and videos \(v\.mp4\)"):
        read_captions(mixed)
    assert read_captions(mixed, media="video").media == "video"
    assert read_captions(gif).media == "image"
    assert read_captions(film).media == "video"
    with pytest.raises(ConfigError, match="media is 'film'; it is image or video"):
        read_captions(film, media="film")  # type: ignore[arg-type]


def test_arguments_are_checked(photos: Path) -> None:
    path = put_text(photos / "l.csv", "path,caption,split\na.jpg,A,train\n")

    with pytest.raises(ConfigError, match=r"'csvs' is unknown for captions.*Did you mean 'csv'"):
        read_captions(path, layout="csvs")
    with pytest.raises(ConfigError, match="missing is 'ignore'; it is error or skip"):
        read_captions(path, missing="ignore")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="has no val part; it has train"):
        read_captions(path, split="val")
    with pytest.raises(DataError, match=r"none\.csv does not exist"):
        read_captions(photos / "none.csv")
    with pytest.raises(DataError, match="nowhere does not exist"):
        read_captions(path, images=photos / "nowhere")


def test_what_holds_captions(photos: Path) -> None:
    assert not holds_captions(photos)
    assert not holds_captions(photos / "a.jpg")
    assert not holds_captions(photos / "nowhere")
    assert not holds_captions(put_text(photos / "l.csv", "path,label\na.jpg,dog\n"))
    assert not holds_captions(put_text(photos / "l.csv", "a.jpg,dog\nb.jpg,cat\n"))
    assert holds_captions(put_text(photos / "c.csv", "path,caption\na.jpg,A dog\n"))
    assert holds_captions(photos)
    (photos / "motion.json").touch()
    assert not holds_captions(photos)


def test_two_layouts_in_one_folder(photos: Path) -> None:
    put_json(photos / "dataset_x.json", {"images": []})
    put_json(photos / "captions_train.json", {"images": []})

    with pytest.raises(DataError, match=r"as karpathy and as coco.*--layout karpathy"):
        read_captions(photos)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("folder", "arguments", "layout", "num_items", "num_captions"),
    [
        ("rsicd", {}, "coco", 2069, 10345),
        ("rsicd", {"split": "test"}, "coco", 419, 2095),
        ("coco-val2017/annotations/captions_val2017_ccby.json", {}, "coco", 40, 200),
        ("coco-val2017", {"layout": "coco"}, "coco", 5000, 25014),
        ("flickr8k-text", {"split": "train"}, "flickr", 6000, 30000),
        ("msvd", {"missing": "skip"}, "msvd", 8, 295),
        ("msvd/text", {"split": "test"}, "msvd", 670, 27763),
    ],
)
def test_real_data(
    real_data: Path,
    folder: str,
    arguments: dict[str, Any],
    layout: str,
    num_items: int,
    num_captions: int,
) -> None:
    data = real_data / folder
    if folder == "coco-val2017":
        data = data / "annotations" / "captions_val2017.json"
    text_alone = num_items in (5000, 6000, 670)
    found = read_captions(data, need_media=not text_alone, **arguments)

    assert found.layout == layout
    assert len(found) == num_items
    assert sum(len(item.captions) for item in found.items) == num_captions
