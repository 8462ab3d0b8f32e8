"""Every search on a table of probabilities: against exhaustive search, and what it promises."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.table_decoder import (
    IDS,
    TableDecoder,
    exhaustive,
    log_prob,
    random_table,
    repeats,
)

from lrcn.decoding.interface import Candidate, SpecialIds
from lrcn.decoding.options import DECODERS, DecodingOptions, get_decoder
from lrcn.decoding.sampling import draw, pick
from lrcn.decoding.score import caption_log_probs, token_log_probs
from lrcn.decoding.search import decode
from lrcn.errors import ConfigError, ModelError

SMALL = DecodingOptions(max_tokens=4)
GREEDY = replace(SMALL, method="greedy")
EVERY = 4**3 + 4**2 + 4 + 1
"""As many beams as there are sentences of three tokens."""

SEEDS = st.integers(0, 10**6)
FILTERS = st.fixed_dictionaries(
    {
        "allow_unk": st.booleans(),
        "min_tokens": st.integers(0, 3),
        "no_repeat_ngram": st.integers(0, 2),
        "forced_ids": st.sampled_from([(), (), (4,), (6, 5)]),
        "length_penalty": st.sampled_from([0.0, 0.7, 1.0, 2.0]),
    }
)
LEVELS = st.sampled_from([0, 2])
"""0: all different; 2: two levels of logits, so that most choices are ties."""


def search(
    model: TableDecoder, options: DecodingOptions, *items: int, **settings_: object
) -> list[tuple[Candidate, ...]]:
    return decode(model, model.start(*items), len(items), options, IDS, **settings_)  # type: ignore[arg-type]


def best(model: TableDecoder, options: DecodingOptions, item: int = 0) -> Candidate:
    return search(model, options, item)[0][0]


def possible(chosen: dict[str, object]) -> bool:
    """Three words at most once each, `<unk>` the fourth: min_tokens = 3 still leaves a sentence."""
    return not (chosen["no_repeat_ngram"] == 1 and chosen["min_tokens"] == 3)


def same(found: tuple[Candidate, ...], expected: list[Candidate]) -> None:
    assert [c.token_ids for c in found] == [c.token_ids for c in expected]
    np.testing.assert_allclose([c.log_prob for c in found], [c.log_prob for c in expected], 1e-12)
    np.testing.assert_allclose([c.score for c in found], [c.score for c in expected], 1e-12)


@settings(max_examples=25, deadline=None)
@given(SEEDS, FILTERS.filter(possible), st.integers(1, 12), st.integers(2, 3))
def test_a_beam_as_wide_as_the_space_is_exhaustive_search(
    seed: int, filters: dict[str, object], num_candidates: int, max_tokens: int
) -> None:
    filters["min_tokens"] = min(int(str(filters["min_tokens"])), max_tokens - 1)
    forced = filters["forced_ids"]
    assert isinstance(forced, tuple)
    filters["forced_ids"] = forced[: max_tokens - 1]
    options = DecodingOptions(
        beam_size=EVERY,
        max_tokens=max_tokens,
        num_candidates=num_candidates,
        **filters,  # type: ignore[arg-type]
    )
    model = random_table(seed)
    found = search(model, options, 0)[0]
    same(found, exhaustive(model, 0, options)[:num_candidates])


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.sampled_from([0.0, 1.0]))
def test_ties_go_to_lower_token_ids(seed: int, length_penalty: float) -> None:
    options = DecodingOptions(
        beam_size=EVERY, max_tokens=3, num_candidates=EVERY, length_penalty=length_penalty
    )
    model = random_table(seed, levels=2)
    found = search(model, options, 0)[0]
    expected = exhaustive(model, 0, options)
    # Sums that differ in the last bit only are no ties.
    rounded = sorted(expected, key=lambda c: (round(-c.score, 9), c.token_ids))
    by_rounding = sorted(found, key=lambda c: (round(-c.score, 9), c.token_ids))
    assert [c.token_ids for c in by_rounding] == [c.token_ids for c in rounded]
    level = TableDecoder(lambda item, prefix: np.zeros(IDS.vocab_size))
    assert best(level, GREEDY).token_ids == (IDS.eos_id,)
    three = DecodingOptions(beam_size=3, max_tokens=4, min_tokens=3, num_candidates=3)
    found = search(level, three, 0)[0]
    assert [c.token_ids for c in found] == [(4, 4, 4, 2), (4, 4, 4, 4), (4, 4, 4, 5)]
    many = DecodingOptions(beam_size=40, max_tokens=4, min_tokens=3, num_candidates=40)
    words = itertools.product((4, 5, 6), (4, 5, 6), (4, 5, 6), (2, 4, 5, 6))
    assert [c.token_ids for c in search(level, many, 0)[0]] == sorted(words)[:40]


def test_a_beam_that_can_still_draw_level_goes_on() -> None:
    """5 ends first; 4 is as likely, ends later with certainty, and has the lower ids."""

    def logits(item: int, prefix: tuple[int, ...]) -> np.ndarray:
        row = np.full(IDS.vocab_size, -np.inf)
        last = {(1,): [4, 5], (1, 5): [2], (1, 4): [4], (1, 4, 4): [2]}
        row[last[prefix]] = 0.0
        return row

    found = best(TableDecoder(logits), DecodingOptions(beam_size=2, max_tokens=6))
    assert (found.token_ids, found.log_prob) == ((4, 4, 2), pytest.approx(math.log(0.5)))


@settings(max_examples=40, deadline=None)
@given(SEEDS, FILTERS, LEVELS)
def test_beam_one_is_greedy(seed: int, filters: dict[str, object], levels: int) -> None:
    model = random_table(seed, levels=levels)
    options = DecodingOptions(max_tokens=6, beam_size=1, **filters)  # type: ignore[arg-type]
    assert best(model, options) == best(model, replace(options, method="greedy"))


def test_greedy_takes_the_likeliest_word_at_every_step() -> None:
    model, prefix = random_table(3), (IDS.bos_id,)
    for _ in range(5):
        log_probs = model.log_probs(0, prefix)
        log_probs[[IDS.pad_id, IDS.bos_id, IDS.unk_id]] = -np.inf
        prefix = (*prefix, int(log_probs.argmax()))
        if prefix[-1] == IDS.eos_id:
            break
    found = best(model, DecodingOptions(method="greedy", max_tokens=5))
    assert found.token_ids == prefix[1:]
    assert found.log_prob == pytest.approx(log_prob(model, 0, prefix[1:]), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(SEEDS, FILTERS, LEVELS, st.integers(2, 6), st.integers(4, 8))
def test_a_wider_beam_is_never_less_likely_than_greedy(
    seed: int, filters: dict[str, object], levels: int, beam_size: int, max_tokens: int
) -> None:
    model = random_table(seed, levels=levels)
    options = DecodingOptions(max_tokens=max_tokens, beam_size=beam_size, **filters)  # type: ignore[arg-type]
    greedy = best(model, replace(options, method="greedy"))
    assert best(model, options).score >= greedy.score


def test_the_greedy_path_is_kept_where_the_plain_beam_loses_it() -> None:
    """After 4, the likeliest, many words are possible; after 5 two, but nothing certain later."""
    p = {
        (1,): {4: 0.4, 5: 0.35, 6: 0.25},
        (1, 4): {4: 0.26, 5: 0.25, 6: 0.25, 2: 0.24},
        (1, 5): {5: 0.5, 6: 0.5},
        (1, 4, 4): {2: 1.0},
    }

    def logits(item: int, prefix: tuple[int, ...]) -> np.ndarray:
        row = np.full(IDS.vocab_size, 1e-9)
        for word, share in p.get(prefix, {4: 0.25, 5: 0.25, 6: 0.25, 2: 0.25}).items():
            row[word] = share
        return np.log(row)

    model = TableDecoder(logits)
    found = best(model, DecodingOptions(beam_size=2, max_tokens=6))
    assert found.token_ids == (4, 4, 2)
    assert found.log_prob == pytest.approx(math.log(0.4 * 0.26), rel=1e-6)
    assert max(model.rows_stepped) == 3


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(2, 5), st.integers(1, 2), LEVELS)
def test_the_pool_is_the_papers(
    seed: int, beam_size: int, num_candidates: int, levels: int
) -> None:
    """Against a search that keeps everything to the end: N likeliest, finished ones compete."""
    model = random_table(seed, levels=levels)
    options = DecodingOptions(beam_size=beam_size, max_tokens=6, num_candidates=num_candidates)
    pool: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    greedy = best(model, replace(options, method="greedy", num_candidates=1))
    for _ in range(options.max_tokens):
        grown = []
        for total, words in pool:
            if words and words[-1] == IDS.eos_id:
                grown.append((total, words))
                continue
            log_probs = model.log_probs(0, (IDS.bos_id, *words))
            grown += [(total + float(log_probs[w]), (*words, w)) for w in (2, 4, 5, 6)]
        pool = sorted(grown, key=lambda entry: (-entry[0], entry[1]))[:beam_size]
    expected = sorted({*pool, (greedy.log_prob, greedy.token_ids)}, key=lambda e: (-e[0], e[1]))
    found = search(model, options, 0)[0]
    assert [c.token_ids for c in found] == [words for _, words in expected[:num_candidates]]


@settings(max_examples=25, deadline=None)
@given(SEEDS, FILTERS, LEVELS, st.sampled_from(["greedy", "beam", "sample"]))
def test_filters_hold_for_every_method(
    seed: int, filters: dict[str, object], levels: int, method: str
) -> None:
    options = DecodingOptions(
        method=method,  # type: ignore[arg-type]
        max_tokens=7,
        num_samples=3 if method == "sample" else 1,
        **{**filters, "no_repeat_ngram": filters["no_repeat_ngram"] and 2},  # type: ignore[arg-type]
    )
    model = random_table(seed, levels=levels)
    for candidate in (c for row in search(model, options, 0, 1, seed=seed) for c in row):
        tokens = candidate.token_ids
        words = tokens[:-1] if tokens[-1] == IDS.eos_id else tokens
        assert 1 <= len(tokens) <= options.max_tokens
        assert len(tokens) == options.max_tokens or tokens[-1] == IDS.eos_id
        assert not {IDS.pad_id, IDS.bos_id, IDS.eos_id} & set(words)
        assert options.allow_unk or IDS.unk_id not in words
        assert len(words) >= options.min_tokens
        assert not repeats(words, options.no_repeat_ngram)
        assert set(options.forced_ids) <= set(words)


def test_log_probs_are_the_models_own() -> None:
    """Filters and the temperature choose; they do not change what is reported."""
    model = random_table(5)
    for options in (
        DecodingOptions(max_tokens=6, min_tokens=3, no_repeat_ngram=1, num_candidates=3),
        DecodingOptions(method="sample", max_tokens=6, temperature=0.5, top_k=2, num_samples=4),
    ):
        for candidate in search(model, options, 0)[0]:
            own = log_prob(model, 0, candidate.token_ids)
            assert candidate.log_prob == pytest.approx(own, rel=1e-12)


def test_forced_words_win_over_being_put_off() -> None:
    """The forced word fits at the second place only: found although it is unlikely there."""

    def logits(item: int, prefix: tuple[int, ...]) -> np.ndarray:
        row = np.log(np.array([1e-9, 1e-9, 0.3, 1e-9, 0.5, 0.19, 0.01]))
        if len(prefix) == 2:
            row[6] = math.log(0.05)
        elif len(prefix) > 2:
            row[6] = math.log(1e-6)
        return row

    model = TableDecoder(logits)
    options = DecodingOptions(max_tokens=6, beam_size=2, forced_ids=(6,))
    found = best(model, options)
    same((found,), exhaustive(model, 0, options)[:1])
    assert 6 in best(model, replace(options, method="greedy")).token_ids


def test_where_nothing_is_allowed_the_sentence_ends() -> None:
    model = random_table(1)
    options = DecodingOptions(max_tokens=9, min_tokens=8, no_repeat_ngram=1)
    for method in ("beam", "greedy", "sample"):
        found = best(model, replace(options, method=method))
        assert sorted(found.token_ids[:-1]) == [4, 5, 6]
        assert found.token_ids[-1] == IDS.eos_id


def test_a_forced_word_of_probability_zero_is_said_all_the_same() -> None:
    def logits(item: int, prefix: tuple[int, ...]) -> np.ndarray:
        row = np.full(IDS.vocab_size, -np.inf)
        row[[2, 4]] = 0.0
        return row

    model = TableDecoder(logits)
    for method in ("beam", "greedy", "sample"):
        found = best(model, DecodingOptions(method=method, max_tokens=5, forced_ids=(5,)))  # type: ignore[arg-type]
        assert 5 in found.token_ids
        assert found.log_prob == -math.inf


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", DECODERS)
def test_results_do_not_depend_on_the_batch(name: str, dtype: torch.dtype) -> None:
    model = random_table(11)
    model.dtype = dtype
    options = replace(get_decoder(name), max_tokens=5)
    if options.num_samples > 10:
        options = replace(options, num_samples=10)
    keys = ["a", "b", "c", "d"]
    together = search(model, options, 0, 1, 2, 3, seed=7, row_keys=keys)
    assert together == search(model, options, 0, 1, 2, 3, seed=7, row_keys=keys)
    swapped = search(model, options, 3, 1, 0, seed=7, row_keys=["d", "b", "a"])
    assert swapped == [together[3], together[1], together[0]]
    for item, key in enumerate(keys):
        assert search(model, options, item, seed=7, row_keys=[key]) == [together[item]]
    assert search(model, options, 0, 1, 2, seed=7)[2] == search(model, options, 2, seed=7)[0]


def test_large_jobs_are_cut_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    model, options = random_table(2), DecodingOptions(max_tokens=4, beam_size=3, num_candidates=2)
    whole = search(model, options, *range(9))
    monkeypatch.setattr("lrcn.decoding.search._NUMBERS_AT_ONCE", IDS.vocab_size * 8)
    model.rows_stepped.clear()
    assert search(model, options, *range(9)) == whole
    assert max(model.rows_stepped) <= 8


def test_nothing_is_computed_for_what_has_ended() -> None:
    """One item ends at once, the other never: its row alone goes on."""

    def logits(item: int, prefix: tuple[int, ...]) -> np.ndarray:
        row = np.zeros(IDS.vocab_size)
        row[2] = 50.0 if item == 0 else -50.0
        return row

    model = TableDecoder(logits)
    found = search(model, DecodingOptions(beam_size=2, max_tokens=5), 0, 1)
    assert [len(c[0].token_ids) for c in found] == [1, 5]
    assert model.rows_stepped == [2, 2, 2, 2, 2]
    model.rows_stepped.clear()
    search(model, DecodingOptions(method="greedy", max_tokens=5), 0, 1)
    assert model.rows_stepped == [2, 1, 1, 1, 1]
    model.rows_stepped.clear()
    search(model, DecodingOptions(beam_size=5, max_tokens=50), 0)
    assert model.rows_stepped == [1]


def test_the_search_goes_on_while_the_penalty_can_still_reward_length() -> None:
    """Ending at once scores -0.7; going on is certain, so that its score tends to zero."""

    def logits(item: int, prefix: tuple[int, ...]) -> np.ndarray:
        row = np.full(IDS.vocab_size, -100.0)
        row[4] = 0.0 if len(prefix) < 5 else -100.0
        row[2] = 0.1 if len(prefix) in (1, 5) else -100.0
        return row

    model = TableDecoder(logits)
    plain = DecodingOptions(beam_size=2, max_tokens=8)
    assert best(model, plain).token_ids == (2,)
    assert best(model, replace(plain, length_penalty=1.0)).token_ids == (4, 4, 4, 4, 2)


def test_drawing_follows_the_probabilities() -> None:
    """3,000 first words against the softmax at temperature 0.5, within four standard errors."""
    model = random_table(8)
    options = DecodingOptions(
        method="sample", num_samples=3000, num_candidates=3000, max_tokens=1, temperature=0.5
    )
    found = draw(model, model.start(0), 1, options, IDS, seed=1, row_keys=["x"])[0]
    counts = np.bincount([c.token_ids[0] for c in found], minlength=IDS.vocab_size)
    logits = model.logits(0, (IDS.bos_id,)) / 0.5
    logits[[0, 1, 3]] = -np.inf
    probs = np.exp(logits - logits.max())
    probs /= probs.sum()
    assert (abs(counts / 3000 - probs) <= 4 * np.sqrt(probs * (1 - probs) / 3000)).all()


def test_rows_with_keys_of_their_own_draw_independently() -> None:
    model = random_table(9)
    options = DecodingOptions(method="sample", max_tokens=6, min_tokens=3, temperature=3.0)
    equal = search(model, options, *[0] * 8, seed=3)
    assert len({c[0].token_ids for c in equal}) == 1
    keyed = search(model, options, *[0] * 8, seed=3, row_keys=list("abcdefgh"))
    assert len({c[0].token_ids for c in keyed}) > 3
    with pytest.raises(ValueError, match="one for each"):
        search(model, options, 0, 0, row_keys=["a"])


def test_the_best_of_many_is_the_likeliest_drawn() -> None:
    model = random_table(9)
    options = DecodingOptions(method="sample", num_samples=40, num_candidates=40, max_tokens=5)
    found = search(model, options, 0, seed=3)[0]
    assert len({c.token_ids for c in found}) == len(found) > 5
    assert [c.log_prob for c in found] == sorted((c.log_prob for c in found), reverse=True)
    fewer = search(model, replace(options, num_samples=10, num_candidates=10), 0, seed=3)[0]
    assert {c.token_ids for c in fewer} < {c.token_ids for c in found}
    assert search(model, options, 0, seed=4) != [found]


def test_top_k_top_p_and_temperature_zero() -> None:
    log_probs = torch.tensor([[0.5, 0.3, 0.15, 0.05]], dtype=torch.float64).log()
    chances = torch.linspace(0, 1 - 1e-12, 50, dtype=torch.float64)
    rows = log_probs.expand(50, 4)

    def words(**settings_: float) -> set[int]:
        options = DecodingOptions(method="sample", **settings_)  # type: ignore[arg-type]
        return set(pick(rows, chances, options).tolist())

    assert words() == {0, 1, 2, 3}
    assert words(top_k=2) == {0, 1}
    assert words(top_p=0.5) == {0}
    assert words(top_p=0.51) == {0, 1}
    assert words(top_p=1e-9) == {0}
    assert words(top_k=3, top_p=0.99) == {0, 1, 2}
    assert words(temperature=0.0) == words(temperature=1e-300) == {0}
    even = torch.zeros(50, 4, dtype=torch.float64)
    greedy = DecodingOptions(method="sample", temperature=0.0)
    assert set(pick(even, chances, greedy).tolist()) == {0}


def test_no_chance_falls_on_a_banned_word() -> None:
    first_banned = torch.tensor([[-torch.inf, 0.3, 0.7]]).double()
    none = torch.zeros(1, dtype=torch.float64)
    assert pick(first_banned, none, DecodingOptions(method="sample")).tolist() == [1]
    log_probs = torch.tensor([[0.7, 0.3, -torch.inf, -torch.inf]]).double()
    chance = torch.tensor([1 - 2**-53], dtype=torch.float64)
    assert pick(log_probs, chance, DecodingOptions(method="sample")).tolist() == [1]


@settings(max_examples=15, deadline=None)
@given(SEEDS, st.integers(1, 5))
def test_given_captions_score_what_the_search_reports(seed: int, num_candidates: int) -> None:
    model = random_table(seed)
    found = search(model, replace(SMALL, num_candidates=num_candidates), 0)[0]
    inputs = torch.zeros(len(found), 5, dtype=torch.int64)
    targets = torch.full((len(found), 5), -100)
    for row, candidate in enumerate(found):
        tokens = torch.tensor(candidate.token_ids)
        inputs[row, : len(tokens)] = torch.cat([torch.tensor([IDS.bos_id]), tokens[:-1]])
        targets[row, : len(tokens)] = tokens
    state = model.start(*[0] * len(found))
    scores = caption_log_probs(model, state, inputs, targets, eos_id=IDS.eos_id)
    np.testing.assert_allclose(scores.numpy(), [c.log_prob for c in found], rtol=1e-12)
    words = caption_log_probs(model, state, inputs, targets, eos_id=IDS.eos_id, count_eos=False)
    each = token_log_probs(model, state, inputs, targets)
    ends = torch.where(targets == IDS.eos_id, each, 0.0).sum(1)
    np.testing.assert_allclose(words.numpy(), (scores - ends).numpy(), rtol=1e-12, atol=1e-12)
    assert (each[targets == -100] == 0).all()


def test_captions_that_are_over_leave_the_batch() -> None:
    model = random_table(1)
    inputs = torch.tensor([[1, 4, 4], [1, 0, 0], [1, 5, 0]])
    targets = torch.tensor([[4, 4, 2], [2, -100, -100], [5, 2, -100]])
    caption_log_probs(model, model.start(0, 0, 0), inputs, targets, eos_id=2)
    assert model.rows_stepped == [3, 2, 1]
    empty = caption_log_probs(model, [], inputs[:0], targets[:0], eos_id=2)
    assert empty.shape == (0,)
    with pytest.raises(ValueError, match="same shape"):
        caption_log_probs(model, model.start(0), inputs[:1], targets, eos_id=2)


def test_no_rows_no_sentences() -> None:
    model = random_table(0)
    for name in ("greedy", "beam-5", "best-of-10-t1"):
        assert search(model, get_decoder(name)) == []


def test_scores_that_are_no_numbers_are_refused() -> None:
    model = TableDecoder(lambda item, prefix: np.full(IDS.vocab_size, np.nan))
    for name in ("greedy", "beam-5", "best-of-10-t1"):
        with pytest.raises(ModelError, match="NaN"):
            search(model, get_decoder(name), 0)


def test_the_models_own_tensors_are_left_alone() -> None:
    class Constant:
        table = torch.zeros(1, IDS.vocab_size, dtype=torch.float32)

        def step(self, token_ids_N: torch.Tensor, state: None) -> tuple[torch.Tensor, None]:
            return self.table.expand(len(token_ids_N), -1), None

        def reorder(self, state: None, source_rows_N: torch.Tensor) -> None:
            return None

    for name in ("greedy", "beam-5", "best-of-10-t1"):
        decode(Constant(), None, 2, replace(get_decoder(name), max_tokens=3), IDS)
    assert (Constant.table == 0).all()


def test_the_papers_decoders_have_names() -> None:
    assert len(DECODERS) == 1 + 10 + 12
    paper = get_decoder("best-of-100-t1.5")
    assert (paper.num_samples, paper.temperature) == (100, pytest.approx(1 / 1.5))
    assert all(o.allow_unk and not o.length_penalty for o in DECODERS.values())
    assert str(get_decoder("beam-3")) == "beam 3"
    with pytest.raises(ConfigError, match="Did you mean 'beam-3'"):
        get_decoder("beam3")


@pytest.mark.parametrize(
    ("settings_", "message"),
    [
        ({"beam_size": 0}, "beam_size is 0; it takes 1 or more"),
        ({"length_penalty": -1.0}, "length_penalty"),
        ({"temperature": math.nan, "method": "sample"}, "temperature"),
        ({"top_p": 0.0, "method": "sample"}, "top_p"),
        ({"method": "annealed"}, "beam, greedy or sample"),
        ({"min_tokens": 5, "max_tokens": 5}, "below max_tokens"),
        ({"forced_ids": (4, 5), "max_tokens": 1}, "forced words"),
        ({"num_candidates": 6}, "at most 5"),
        ({"num_candidates": 2, "method": "greedy"}, "at most 1"),
        ({"temperature": 0.5}, "acts with method sample only"),
    ],
)
def test_settings_that_make_no_sense_are_refused(
    settings_: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        DecodingOptions(**settings_)  # type: ignore[arg-type]


@pytest.mark.parametrize("forced", [0, 1, 2, 3, 7, -1])
def test_words_that_cannot_be_said_cannot_be_forced(forced: int) -> None:
    with pytest.raises(ConfigError, match=str(forced)):
        best(random_table(0), DecodingOptions(forced_ids=(forced,)))


def test_special_ids_are_four() -> None:
    with pytest.raises(ConfigError, match="four different numbers"):
        SpecialIds(eos_id=0, vocab_size=9)
    with pytest.raises(ConfigError, match="vocabulary of 3"):
        SpecialIds(vocab_size=3)
