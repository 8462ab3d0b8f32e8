"""Beam search over sentences: ours against one hypothesis at a time, plain batches, Hugging Face.

Claims, for two layers of 1000 units, 8,801 words, 5 beams and 20 words: 64 pictures at least 25
times the captions per second of one hypothesis at a time (state kept, float32) and at least 2.5
times a batched float32 search, where the processor has bfloat16 or int8; one picture 4 times.

The weights are random and sentences may not end early: nobody gains by an early end. Hugging Face
`generate` (a GPT-2 decoder of 2 layers, 1000 wide, same vocabulary, no picture) is measured where
`transformers` is installed.

    python benchmarks/beam_search.py [--threads N] [--repeats N] [--cpu-time]
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
from collections.abc import Callable

import torch

from lrcn.decoding.interface import Candidate, SpecialIds
from lrcn.decoding.options import DecodingOptions
from lrcn.decoding.search import decode
from lrcn.engine.linear import has_int8
from lrcn.models.captioner_config import CaptionerConfig
from lrcn.models.fast_captioner import FastCaptioner, fast_captioner
from lrcn.models.image_captioner import Captioner, create_captioner
from lrcn.text.vocabulary import SPECIAL_TOKENS, Vocabulary

VOCAB_SIZE, UNITS, BEAMS, WORDS = 8801, 1000, 5, 20
IDS = SpecialIds(vocab_size=VOCAB_SIZE)
OPTIONS = DecodingOptions(beam_size=BEAMS, max_tokens=WORDS, min_tokens=WORDS - 1)


def make_captioner() -> Captioner:
    words = tuple(f"w{i}" for i in range(VOCAB_SIZE - len(SPECIAL_TOKENS)))
    config = CaptionerConfig(
        backbone="none", feature_dim=1000, hidden_size=UNITS, embedding_size=UNITS
    )
    captioner = create_captioner(config, Vocabulary((*SPECIAL_TOKENS, *words)), seed=0)
    with torch.no_grad():
        for parameter in captioner.parameters():
            parameter.mul_(2.0)  # fresh weights find all words alike; a trained model does not
    return captioner.eval()


@torch.no_grad()
def one_at_a_time(captioner: Captioner, features_B1D: torch.Tensor) -> list[float]:
    """The search as most code has it: a step per hypothesis, the state kept."""
    banned = [IDS.pad_id, IDS.bos_id, IDS.eos_id, IDS.unk_id]
    best = []
    for features_1D in features_B1D:
        beams = [(0.0, IDS.bos_id, captioner.start(features_1D[None]))]
        for step in range(WORDS):
            grown = []
            for total, word, state in beams:
                logits, after = captioner.step(torch.tensor([word]), state)
                log_probs = logits[0].log_softmax(0)
                log_probs[banned if step < WORDS - 1 else [0, 1, 3]] = -torch.inf
                values, words = log_probs.topk(BEAMS)
                grown += [
                    (total + value, token, after)
                    for value, token in zip(values.tolist(), words.tolist(), strict=True)
                ]
            beams = sorted(grown, key=lambda beam: -beam[0])[:BEAMS]
        best.append(beams[0][0])
    return best


def search(
    model: Captioner | FastCaptioner, features_B1D: torch.Tensor
) -> list[tuple[Candidate, ...]]:
    with torch.no_grad():
        state = model.start(features_B1D)
        return decode(model, state, len(features_B1D), OPTIONS, IDS)  # type: ignore[misc,arg-type]


def hugging_face(num: int) -> Callable[[], object] | None:
    if importlib.util.find_spec("transformers") is None:
        return None
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        vocab_size=VOCAB_SIZE,
        n_embd=UNITS,
        n_layer=2,
        n_head=10,
        n_positions=64,
        bos_token_id=IDS.bos_id,
        eos_token_id=IDS.eos_id,
        pad_token_id=IDS.pad_id,
    )
    model = GPT2LMHeadModel(config).eval()
    start = torch.full((num, 1), IDS.bos_id)

    def generate() -> object:
        with torch.inference_mode():
            return model.generate(
                start,
                attention_mask=torch.ones_like(start),
                num_beams=BEAMS,
                min_new_tokens=WORDS,
                max_new_tokens=WORDS,
                do_sample=False,
            )

    return generate


def medians(
    runs: dict[str, Callable[[], object]], repeats: int, clock: Callable[[], float]
) -> dict[str, float]:
    """Seconds of each, measured in turn, so that a busy moment hits all of them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for repeat in range(repeats + 1):
        for name, run in runs.items():
            started = clock()
            run()
            if repeat:
                seconds[name].append(clock() - started)
    return {name: statistics.median(found) for name, found in seconds.items()}


def measure(
    num: int,
    models: dict[str, Captioner | FastCaptioner],
    repeats: int,
    clock: Callable[[], float],
) -> None:
    """A table for `num` pictures at once; one hypothesis at a time is measured on one of them."""
    generator = torch.Generator().manual_seed(num)
    features_B1D = torch.randn(num, 1, 1000, generator=generator).relu()
    plain = models["batched float32"]
    assert isinstance(plain, Captioner)
    runs: dict[str, Callable[[], object]] = {
        "one hypothesis at a time": lambda: one_at_a_time(plain, features_B1D[:1])
    }
    for name, model in models.items():
        runs[name] = lambda m=model: search(m, features_B1D)  # type: ignore[misc]
    generate = hugging_face(num)
    if generate is not None:
        runs["Hugging Face generate"] = generate
    seconds = medians(runs, repeats, clock)
    rates = {name: num / s for name, s in seconds.items()}
    rates["one hypothesis at a time"] /= num
    slowest, batched = rates["one hypothesis at a time"], rates["batched float32"]
    print(f"{num} picture{'s' * (num > 1)}                 captions/s   to one    to batched")
    for name, rate in rates.items():
        print(f"  {name:28}{rate:8.1f} {rate / slowest:9.1f}x {rate / batched:9.1f}x")
    expected = search(plain, features_B1D)
    for name, model in models.items():
        if model is not plain:
            found = search(model, features_B1D)
            pairs = list(zip(found, expected, strict=True))
            equal = sum(a[0].token_ids == b[0].token_ids for a, b in pairs)
            off = statistics.mean(abs(a[0].log_prob - b[0].log_prob) for a, b in pairs)
            print(f"  {name}: {equal} of {num} sentences as in float32; log-probability {off:.2g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, help="default: all")
    parser.add_argument("--repeats", type=int, default=5, help="of which the median is taken")
    parser.add_argument("--cpu-time", action="store_true", help="count the processor's seconds")
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    clock = time.process_time if arguments.cpu_time else time.perf_counter
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    captioner = make_captioner()
    models: dict[str, Captioner | FastCaptioner] = {"batched float32": captioner}
    for arithmetic in ("float32", "bfloat16", "int8") if has_int8() else ("float32", "bfloat16"):
        models[f"packed {arithmetic}"] = FastCaptioner(captioner, arithmetic)  # type: ignore[arg-type]
    print(f"chosen here: {fast_captioner(captioner)}")
    for num in (1, 64):
        measure(num, models, arguments.repeats, clock)


if __name__ == "__main__":
    main()
