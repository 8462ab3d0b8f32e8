"""Model folders: everything that prediction needs, in files that anyone can read.

::

    MODEL/
    ├── config.json         task, settings, preprocessing, sampling, versions; classes
    ├── model.safetensors   all weights, the backbone's included
    ├── labels.txt          of a recogniser: one class a line, in the order of the outputs
    ├── vocabulary.json     of a captioner: its words by id, and the tokenizer
    └── README.md           model card with the measured results

A run folder holds two of them: `best` (chosen on validation data) and `last`. Nothing is
pickled. A folder is written beside its place and then renamed, so a reader never sees half of
one; `settle_folder` mends the one moment in which a crash can leave the old one set aside.
"""

from lrcn.checkpoint.activity import SavedModel, load_model
from lrcn.checkpoint.captioner import SavedCaptioner, load_captioner
from lrcn.checkpoint.folder import (
    CAPTION_TASK,
    CARD_NAME,
    CONFIG_NAME,
    FORMAT_VERSION,
    FUSION_TASK,
    LABELS_NAME,
    VOCABULARY_NAME,
    WEIGHTS_NAME,
    ModelCard,
    Saved,
    card_ending,
    find_model_folder,
    new_folder,
    read_config,
    save_model,
    settle_folder,
    task_of,
    weights_hash,
)

__all__ = [
    "CAPTION_TASK",
    "CARD_NAME",
    "CONFIG_NAME",
    "FORMAT_VERSION",
    "FUSION_TASK",
    "LABELS_NAME",
    "VOCABULARY_NAME",
    "WEIGHTS_NAME",
    "ModelCard",
    "Saved",
    "SavedCaptioner",
    "SavedModel",
    "card_ending",
    "find_model_folder",
    "load_captioner",
    "load_model",
    "new_folder",
    "read_config",
    "save_model",
    "settle_folder",
    "task_of",
    "weights_hash",
]
