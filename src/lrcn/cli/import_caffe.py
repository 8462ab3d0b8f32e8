"""`lrcn import-caffe`: a `.caffemodel` of the original code becomes a model folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from lrcn.cli.options import DEFAULTS, ComputeOptions
from lrcn.cli.output import print_json, print_line, print_table, refuse_existing_folder, say
from lrcn.cli.parser import UsageError, option
from lrcn.settings import did_you_mean
from lrcn.structures import Quirk

if TYPE_CHECKING:
    from lrcn.caffe.importer import Imported


def import_caffe(
    file: Path,
    /,
    *,
    out: Path,
    net: str | None = None,
    labels: Path | None = None,
    vocabulary: Path | None = None,
    modality: Literal["rgb", "flow"] | None = None,
    mean: Literal["preprocessing", "folded"] = "preprocessing",
    channels: Literal["rgb", "bgr"] = "rgb",
    input_px: int | None = None,
    original_quirks: str | None = None,
    overwrite: bool = False,
    as_json: Annotated[bool, option("--json")] = False,
    compute: ComputeOptions = DEFAULTS,
) -> int:
    """Make a model folder of a .caffemodel: CaffeNet, the hybrid net, VGG-16, LRCN-fc6 and fc7.

    With --vocabulary a captioning net: LRCN-1u, 2u, 2f, 4f, or a language model.

    The file's generation (2013, 2014 or newer) and the net are recognised, shapes are checked,
    gates are put in order. Caffe is not needed, and nothing is unpickled. The folder can be
    given to predict, evaluate, report and `train --init`.

    Args:
        file: The .caffemodel.
        out: Model folder to make.
        net: caffenet, hybrid, vgg16, lrcn_fc6, lrcn_fc7, caffenet_lrcn_fc6 or vgg16_lrcn_fc6;
            default: recognised. Layers that a named net does not have are left out and listed.
        labels: Class names: classInd.txt, one name a line, or a split list of the original;
            default: class_000, class_001, ...
        vocabulary: For nets that write sentences: their vocabulary.txt, one word a line.
        modality: What it was trained on; default: flow when the file's name says so, else rgb.
        mean: Where the mean is subtracted: in the preprocessing, or folded into conv1's bias.
        channels: rgb turns conv1 round once; bgr keeps it and turns the pixels each time.
        input_px: Side of the input, when it was trained with another crop than usual.
        original_quirks: Faults of the original code that evaluation shall reproduce: all, or with
            commas flow_not_inverted, flow_slice, unsorted_frames, last_clip_twice.
        overwrite: Replace a model that stands in --out.
        as_json: Print one JSON document.
        compute: Options of every command that computes.
    """
    from lrcn.checkpoint import CONFIG_NAME

    refuse_existing_folder(
        out,
        overwrite=overwrite,
        is_ours=lambda folder: (folder / CONFIG_NAME).is_file(),
        what="a model folder",
    )
    compute.start()
    from lrcn.caffe import importer
    from lrcn.checkpoint import save_model

    if vocabulary is not None:
        unused = {"--net": net, "--labels": labels, "--modality": modality}
        named = [flag for flag, value in unused.items() if value is not None]
        named += ["--mean folded"] if mean == "folded" else []
        if named:
            raise UsageError(
                f"{', '.join(named)} belong to nets that tell classes, --vocabulary to those that"
                " write sentences: leave one of them out"
            )
        _import_captioner(
            file, vocabulary, out, channels=channels, input_px=input_px, as_json=as_json
        )
        return 0
    imported = importer.import_caffe(
        file,
        net=net,
        labels=labels,
        modality=modality,
        mean=mean,
        channels=channels,
        input_px=input_px,
        original_quirks=read_quirks(original_quirks or ""),
    )
    save_model(out, imported.saved)
    document = _document(imported, out)
    if as_json:
        print_json(document)
    else:
        _show(imported, document)
    if labels is None:
        say(
            "classes are only numbered: give --labels classInd.txt to name them",
            quiet=compute.quiet,
        )
    return 0


def _import_captioner(
    file: Path,
    vocabulary: Path,
    out: Path,
    *,
    channels: Literal["rgb", "bgr"],
    input_px: int | None,
    as_json: bool,
) -> None:
    """Make the folder of a captioning net, and tell of it."""
    from lrcn.caffe.captioner import import_captioner
    from lrcn.checkpoint import save_model

    imported = import_captioner(file, vocabulary, channels=channels, input_px=input_px)
    save_model(out, imported.saved)
    model = imported.saved.model
    document = {
        "model": str(out),
        "net": model.config.kind,
        "backbone": model.config.backbone,
        "format": imported.version,
        "vocab_size": len(model.vocabulary),
        "hidden_size": model.config.hidden_size,
        "layers": [{"layer": layer, "module": module} for layer, module in imported.layers],
        "ignored_layers": list(imported.ignored),
    }
    if as_json:
        print_json(document)
        return
    print_table(("layer", "goes to"), imported.layers)
    if imported.ignored:
        print_line(f"\nleft out: {', '.join(repr(name) for name in imported.ignored)}")
    print_line(
        f"\n{model.config.kind} on {model.config.backbone} ({imported.version} format),"
        f" {len(model.vocabulary):,} words\nmodel: {out}"
    )


def read_quirks(text: str) -> tuple[Quirk, ...]:
    """Names with commas.

    Raises:
        UsageError: there is no fault of such a name.
    """
    allowed: dict[str, Quirk] = {quirk: quirk for quirk in get_args(Quirk)}
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in allowed:
            raise UsageError(
                f"--original-quirks {name!r} is unknown.{did_you_mean(name, list(allowed))}"
                f" Known: {', '.join(allowed)}"
            )
    return tuple(allowed[name] for name in names)


def _document(imported: Imported, out: Path) -> dict[str, Any]:
    model = imported.saved.model
    preprocessing = model.preprocessing
    assert preprocessing is not None  # every net of the table sees pixels
    return {
        "model": str(out),
        "net": imported.net,
        "format": imported.version,
        "num_classes": len(model.class_names),
        "hidden_size": model.config.hidden_size if model.config.kind == "lrcn" else None,
        "modality": preprocessing.modality,
        "pixel_mean": list(preprocessing.pixel_mean),
        "channel_order": preprocessing.channel_order,
        "input_px": preprocessing.input_px,
        "original_quirks": list(preprocessing.original_quirks),
        "layers": [{"layer": layer, "module": module} for layer, module in imported.layers],
        "ignored_layers": list(imported.ignored),
    }


def _show(imported: Imported, document: dict[str, Any]) -> None:
    state = imported.saved.model.state_dict()
    rows = []
    for layer, module in imported.layers:
        shapes = [
            "x".join(map(str, tensor.shape))
            for name, tensor in state.items()
            if name.rpartition(".")[0] == module
        ]
        rows.append((layer, module, ", ".join(shapes)))
    print_table(("layer", "goes to", "weights"), rows)
    if imported.ignored:
        print_line(f"\nleft out: {', '.join(repr(name) for name in imported.ignored)}")
    mean = ", ".join(f"{value:g}" for value in document["pixel_mean"])
    print_line(
        f"\n{document['net']} ({document['format']} format), {document['num_classes']} classes,"
        f" {document['modality']}, mean {mean} (red, green, blue)\nmodel: {document['model']}"
    )
