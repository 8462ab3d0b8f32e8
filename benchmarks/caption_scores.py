"""Caption scores against PyPI's pycocoevalcap: how nearly equal, and how much faster.

    pip install pycocoevalcap                        # and Java, for its tokenizer
    python benchmarks/caption_scores.py --coco captions_val2017.json --rsicd RSICD_ANNOTATIONS_DIR

5,000 pairs of each: an item's first caption is scored against the others, of COCO as it is, of
RSICD with the captions of another item (its sentences repeat themselves). The whole command is
`lrcn score`, intervals included, against a program that reads the same files and does the same
with pycocoevalcap; the index of METEOR's tables is made before, and is not timed.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from lrcn.metrics.bleu import score_bleu
from lrcn.metrics.caption_scores import score_captions
from lrcn.metrics.caption_tokens import TokenizedCaptions, tokenize_pairs
from lrcn.metrics.cider import score_cider_d
from lrcn.metrics.meteor import score_meteor
from lrcn.metrics.meteor_tables import open_tables
from lrcn.metrics.rouge import score_rouge_l
from lrcn.text.ptb import ptb_tokenize_all

Captions = dict[str, list[str]]
NUM_PAIRS = 5000
CPU_TIME = "--cpu-time" in sys.argv
"""Seconds of the processor, for a machine that does other things too; Java's own included."""


def _read(path: Path) -> Captions:
    found: Captions = defaultdict(list)
    for row in json.loads(path.read_text(encoding="utf-8"))["annotations"]:
        found[str(row["image_id"])].append(row["caption"])
    return dict(found)


def _coco(path: Path) -> tuple[Captions, dict[str, str]]:
    captions = {item: texts for item, texts in _read(path).items() if len(texts) > 1}
    chosen = dict(list(captions.items())[:NUM_PAIRS])
    return {k: v[1:] for k, v in chosen.items()}, {k: v[0] for k, v in chosen.items()}


def _rsicd(folder: Path) -> tuple[Captions, dict[str, str]]:
    items = [
        texts
        for name in ("train", "val", "test")
        for texts in _read(folder / f"captions_{name}.json").values()
    ]
    references, hypotheses = {}, {}
    for i in range(NUM_PAIRS):
        texts, other = items[i % len(items)], items[(i * 7 + 1 + i // len(items)) % len(items)]
        references[str(i)] = texts
        hypotheses[str(i)] = other[i % len(other)]
    return references, hypotheses


def _timed(function: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    best, found = float("inf"), None
    for _ in range(repeats):
        start = _clock()
        found = function()
        best = min(best, _clock() - start)
    return best, found


def _clock() -> float:
    if not CPU_TIME:
        return time.perf_counter()
    below = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + below.ru_utime + below.ru_stime


def _official(references: Captions, hypotheses: dict[str, str]) -> tuple[dict, dict]:
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    def tokenize() -> tuple[dict, dict]:
        return (
            PTBTokenizer().tokenize(
                {k: [{"caption": c} for c in v] for k, v in references.items()}
            ),
            PTBTokenizer().tokenize({k: [{"caption": v}] for k, v in hypotheses.items()}),
        )

    seconds, scores = {}, {}
    seconds["tokens"], (gts, res) = _timed(tokenize)
    scores["tokens"] = (gts, res)
    for name, scorer in (("bleu", Bleu(4)), ("rouge_l", Rouge()), ("cider_d", Cider())):
        quiet = {"verbose": 0} if name == "bleu" else {}
        seconds[name], scores[name] = _timed(
            lambda s=scorer, q=quiet: s.compute_score(gts, res, **q)
        )
    # Java's start belongs to it: everybody waits for that, too.
    seconds["meteor"], scores["meteor"] = _timed(lambda: _official_meteor(gts, res), repeats=1)
    return seconds, scores


def _official_meteor(gts: dict, res: dict) -> tuple[float, list[float]]:
    from pycocoevalcap.meteor.meteor import Meteor

    scorer = Meteor()
    scores = scorer.compute_score(gts, res)
    scorer.meteor_p.stdin.close()
    scorer.meteor_p.wait()  # else its processor time is not counted
    return scores


def _ours(references: Captions, hypotheses: dict[str, str]) -> tuple[dict, dict]:
    def tokenize() -> TokenizedCaptions:
        return tokenize_pairs(references, hypotheses, ptb_tokenize_all)

    seconds, scores = {}, {}
    # Once: the first time is the one that people wait for.
    seconds["tokens"], captions = _timed(tokenize, repeats=1)
    scores["tokens"] = captions
    for name, score in (
        ("bleu", score_bleu),
        ("rouge_l", score_rouge_l),
        ("cider_d", score_cider_d),
        ("meteor", score_meteor),
    ):
        # A new object each time: nothing is counted beforehand.
        seconds[name], scores[name] = _timed(
            lambda s=score: s(
                TokenizedCaptions(captions.ids, captions.references, captions.hypotheses)
            ),
            repeats=1 if name == "meteor" else 3,
        )
    seconds["both"], _ = _timed(lambda: _bleu_and_cider_d(captions))
    seconds["all"], scores["all"] = _timed(
        lambda: score_captions(
            references, hypotheses, metrics=["bleu", "rouge_l", "cider_d", "meteor"]
        ),
        repeats=1,
    )
    return seconds, scores


def _bleu_and_cider_d(captions: TokenizedCaptions) -> None:
    """As `lrcn score` does it: n-grams are counted once for both."""
    fresh = TokenizedCaptions(captions.ids, captions.references, captions.hypotheses)
    score_bleu(fresh)
    score_cider_d(fresh)


def _compare(name: str, references: Captions, hypotheses: dict[str, str]) -> None:
    mine_seconds, mine = _ours(references, hypotheses)
    their_seconds, theirs = _official(references, hypotheses)
    captions = mine["tokens"]
    gts, res = theirs["tokens"]
    unlike = sum(
        " ".join(tokens) != text
        for item, refs, own in zip(
            captions.ids, captions.references, captions.hypotheses, strict=True
        )
        for tokens, text in zip([*refs, own], [*gts[item], *res[item]], strict=True)
    )
    print(f"\n{name}: {len(hypotheses)} pairs, {sum(map(len, references.values()))} references")
    print(f"captions with other tokens: {unlike}")
    print("         official s   lrcn s  ratio  corpus diff  item diff")
    for key in ("tokens", "bleu", "rouge_l", "cider_d", "meteor"):
        line = f"{key:8} {their_seconds[key]:11.2f} {mine_seconds[key]:8.3f}"
        line += f" {their_seconds[key] / mine_seconds[key]:6.1f}"
        if key != "tokens":
            line += "  {:11.1e} {:10.1e}".format(*_differences(mine[key], theirs[key]))
        print(line)
    both = (their_seconds["bleu"] + their_seconds["cider_d"]) / mine_seconds["both"]
    print(f"BLEU and CIDEr-D in one go: {mine_seconds['both']:.3f} s, {both:.1f} times as fast")
    total = sum(their_seconds.values())
    print(f"everything, tokens included: {total:.2f} s and {mine_seconds['all']:.2f} s")
    print("whole command: {:.2f} s and {:.2f} s".format(*_commands(references, hypotheses)))


def _commands(references: Captions, hypotheses: dict[str, str]) -> tuple[float, float]:
    """Seconds of a program on pycocoevalcap and of `lrcn score`, on the same files."""
    rows = [{"image_id": k, "caption": c} for k, texts in references.items() for c in texts]
    with tempfile.TemporaryDirectory() as folder:
        truth, own = Path(folder, "references.json"), Path(folder, "results.json")
        truth.write_text(json.dumps({"images": [], "annotations": rows}), encoding="utf-8")
        own.write_text(
            json.dumps([{"image_id": k, "caption": c} for k, c in hypotheses.items()]),
            encoding="utf-8",
        )
        theirs = [sys.executable, __file__, "--official", str(truth), str(own)]
        mine = [sys.executable, "-m", "lrcn", "score", "--json"]
        mine += ["--references", str(truth), "--hypotheses", str(own)]
        mine += ["--metrics", "bleu", "rouge_l", "cider_d", "meteor"]
        seconds = [
            _timed(lambda c=command: subprocess.run(c, capture_output=True, check=True), 1)[0]
            for command in (theirs, mine)
        ]
    return seconds[0], seconds[1]


def _official_command(truth: Path, own: Path) -> None:
    """What coco-caption does with two files."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    results = json.loads(own.read_text(encoding="utf-8"))
    gts = PTBTokenizer().tokenize({k: [{"caption": c} for c in v] for k, v in _read(truth).items()})
    res = PTBTokenizer().tokenize({row["image_id"]: [row] for row in results})
    for scorer in (Bleu(4), Rouge(), Cider()):
        print(scorer.compute_score(gts, res)[0])
    print(_official_meteor(gts, res)[0])


def _differences(mine: Any, theirs: Any) -> tuple[float, float]:
    corpus, per_item = theirs
    if len(mine) == 1:
        corpus, per_item = [corpus], [per_item]
    everything = np.arange(len(mine[0].per_item_N))
    return (
        max(abs(s.of_items(everything) - c) for s, c in zip(mine, corpus, strict=True)),
        max(
            float(np.abs(s.per_item_N - np.array(p)).max())
            for s, p in zip(mine, per_item, strict=True)
        ),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--coco", type=Path, help="captions_val2017.json")
    parser.add_argument("--rsicd", type=Path, help="folder with captions_{train,val,test}.json")
    parser.add_argument("--cpu-time", action="store_true", help="count the processor's seconds")
    parser.add_argument("--official", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.official:
        _official_command(*arguments.official)
        return
    open_tables()
    if arguments.coco:
        _compare("COCO val2017", *_coco(arguments.coco))
    if arguments.rsicd:
        _compare("RSICD", *_rsicd(arguments.rsicd))


if __name__ == "__main__":
    main()
