"""MSVD's lists of sentences, the map to clip names, and clips beside them."""

from pathlib import Path

from tests.fakes.captions import FakeCaptions
from tests.fakes.dataset import put_text, put_video


def build(root: Path) -> FakeCaptions:
    text = root / "text"
    for number, name in enumerate(("-4wsuPCjDBc_5_15", "0lh_UWF9ZP4_62_69", "zz_1_2")):
        put_video(root / "clips" / f"{name}.avi", number)
    clips = "-4wsuPCjDBc_5_15 vid1\n0lh_UWF9ZP4_62_69 vid2\nzz_1_2 vid1201\n"
    put_text(text / "youtube_video_to_id_mapping.txt", clips)
    put_text(
        text / "sents_train_lc_nopunc.txt", "vid1\ta dog runs\nvid2\ta cat\nvid1\tein hund läuft\n"
    )
    put_text(text / "sents_val_lc_nopunc.txt", "vid1201\ta bird\n")
    return FakeCaptions(
        data=root,
        layout="msvd",
        media="video",
        captions={
            "vid1": ("a dog runs", "ein hund läuft"),
            "vid2": ("a cat",),
            "vid1201": ("a bird",),
        },
        splits={"vid1": "train", "vid2": "train", "vid1201": "val"},
        official=True,
        listed=root / "clips" / "0lh_UWF9ZP4_62_69.avi",
    )
