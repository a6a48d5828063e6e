"""The search for sentences over random decoders: greedy, beam and drawing against what they promise."""

import itertools
import math

import numpy as np
import pytest

from rnnedge_device.caption import CaptionSpec
from rnnedge_device.errors import InputError
from rnnedge_device.hypothesis import repeating
from rnnedge_device.search import SearchOptions, beam_search, greedy, sample, search
from rnnedge_device.vocabulary import END, PAD, START, UNKNOWN


def log_softmax(logits):
    logits = logits.astype(np.float64)
    return (logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()).astype(np.float32)


class Table:
    """The next word depends on the last `memory` words: a random table, filled as it is asked for."""

    def __init__(self, seed, words=9, memory=2, sharpness=2.0, steps=None):
        self.seed, self.words, self.memory, self.sharpness, self.grid = seed, words, memory, sharpness, steps
        self.calls = 0

    def step(self, token, state):
        self.calls += 1
        past = (*state["past"], token)[-self.memory :]
        logits = self.sharpness * np.random.default_rng([self.seed, *past]).normal(size=self.words)
        if self.grid:  # as int8 logits are: many ties
            logits = np.round(logits / self.grid) * self.grid
        return log_softmax(logits), {"past": np.array(past)}, np.array([self.calls, token])

    state = {"past": np.array([], int)}  # noqa: RUF012


class Recurrent:
    """A random tanh RNN over one-hot words."""

    def __init__(self, seed, words=12, units=8, sharpness=4.0):
        rng = np.random.default_rng(seed)
        self.inner, self.embed = rng.normal(0, 0.6, (units, units)), rng.normal(0, 1, (words, units))
        self.head, self.state = sharpness * rng.normal(0, 0.5, (units, words)), {"h": rng.normal(size=units)}
        self.calls = 0

    def step(self, token, state):
        self.calls += 1
        h = np.tanh(state["h"] @ self.inner + self.embed[token])
        return log_softmax(h @ self.head), {"h": h}, None


MAKERS = {
    "table": lambda seed: Table(seed, sharpness=1 + seed % 4),
    "ties": lambda seed: Table(seed, sharpness=1 + seed % 4, steps=0.5),
    "recurrent": Recurrent,
}
PENALTIES = (0.0, 0.7, 1.5)


def everything(decoder, options):
    """Every sentence there is, by plain recursion: {ids, ended: (log-probability, score)}."""
    found = {}

    def follow(ids, total, token, state):
        words = (len(ids) + 1) ** options.length_penalty
        if len(ids) == options.max_length:
            found[ids, False] = total, total / words
            return
        choices, after, _ = decoder.step(token, state)
        for word, gain in enumerate(choices.tolist()):
            if word == END:
                found[ids, True] = total + gain, (total + gain) / words
            elif word not in (PAD, START, UNKNOWN) and not repeats((*ids, word), options.no_repeat):
                follow((*ids, word), total + gain, word, after)

    follow((), 0.0, START, decoder.state)
    return found


def repeats(ids, n):
    grams = [ids[at : at + n] for at in range(len(ids) - n + 1)] if n else []
    return len(set(grams)) < len(grams)


# --- greedy --------------------------------------------------------------------------------------------


def test_greedy_takes_the_likeliest_word_each_step():
    for seed in range(40):
        decoder, options = Table(seed), SearchOptions(no_repeat=0, max_length=12)
        found = greedy(decoder, decoder.state, options)
        ids, state, token = [], decoder.state, START
        gains = []
        for _ in range(12):
            choices, state, _ = decoder.step(token, state)
            token = max((w for w in range(9) if w not in (PAD, START, UNKNOWN)), key=lambda w: choices[w])
            gains.append(float(choices[token]))
            if token == END:
                break
            ids.append(token)
        assert found.ids == tuple(ids)
        assert found.ended == (token == END)
        assert found.log_probabilities == tuple(gains)
        assert found.log_probability == pytest.approx(sum(gains))
        assert found.score == pytest.approx(sum(gains) / (len(ids) + 1) ** 0.7)
        assert len(found.attention) == len(ids)


def test_words_are_told_as_they_are_chosen():
    decoder, heard = Table(4, sharpness=1.0), []
    found = greedy(decoder, decoder.state, SearchOptions(), lambda word: heard.append((word, decoder.calls)))
    assert heard == [(word, call) for call, word in enumerate(found.ids, start=1)]
    assert len(heard) > 2


@pytest.mark.parametrize(
    "options", [SearchOptions(beam=4, n_best=2), SearchOptions(temperature=1.0, n_best=3)]
)
def test_of_several_sentences_the_best_one_is_told_in_the_end(options):
    decoder, heard = Table(4, sharpness=1.0), []
    found = search(decoder, decoder.state, options, heard.append)
    assert tuple(heard) == found[0].ids
    assert len(found) == options.n_best


# --- what must not come --------------------------------------------------------------------------------


class Fixed:
    """The same logits after any word; the marks are the likeliest of all."""

    state = {}  # noqa: RUF012

    def __init__(self, logits):
        self.logits = np.array([9.0, 9.0, logits[0], 9.0, *logits[1:]], np.float32)

    def step(self, token, state):
        return log_softmax(self.logits), state, None


@pytest.mark.parametrize("beam", [1, 2, 5])
def test_the_marks_never_come_and_nothing_is_renormalised(beam):
    decoder = Fixed([0.0, 2.0, 1.0])
    found = search(decoder, decoder.state, SearchOptions(beam=beam, no_repeat=0, max_length=5))[0]
    assert set(found.ids) <= {4, 5}
    choices = log_softmax(decoder.logits)
    assert choices[4] < -7
    told = (*found.ids, END) if found.ended else found.ids
    assert found.log_probabilities == tuple(float(choices[word]) for word in told)
    drawn = sample(decoder, {}, SearchOptions(temperature=3.0, n_best=20, no_repeat=0))
    assert {word for item in drawn for word in item.ids} == {4, 5}


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize(
    "options",
    [{"beam": 1}, {"beam": 4, "n_best": 4}, {"temperature": 1.0, "n_best": 20}],
    ids=["greedy", "beam", "drawn"],
)
def test_no_n_gram_comes_twice(n, options):
    decoder = Fixed([0.0, 2.0, 1.9, 1.8])
    found = search(decoder, {}, SearchOptions(no_repeat=n, max_length=30, **options))
    assert all(not repeats(item.ids, n) for item in found)
    free = search(decoder, {}, SearchOptions(no_repeat=0, max_length=30, **options))
    assert any(repeats(item.ids, n) for item in free)


def test_the_words_that_would_repeat():
    assert repeating((4, 5, 6, 4, 5), 3) == [6]
    assert repeating((4, 5, 4), 2) == [5]
    assert repeating((4, 5, 4), 1) == [4, 5, 4]
    assert repeating((4, 4), 2) == [4]
    assert repeating((4, 4), 3) == []
    assert repeating((4, 5, 4), 0) == []
    rng = np.random.default_rng(0)
    for _ in range(300):
        ids, n = tuple(rng.integers(4, 7, rng.integers(0, 9)).tolist()), int(rng.integers(1, 4))
        if not repeats(ids, n):
            assert set(repeating(ids, n)) == {word for word in range(4, 7) if repeats((*ids, word), n)}


def test_where_no_word_is_left_the_sentence_is_cut():
    class Mute(Fixed):
        def step(self, token, state):
            choices = log_softmax(self.logits)
            choices[END] = -math.inf
            return choices, state, None

    decoder = Mute([0.0, 1.0, 0.5])
    options = {"no_repeat": 1, "max_length": 9}
    for found in (
        greedy(decoder, {}, SearchOptions(**options)),
        search(decoder, {}, SearchOptions(beam=3, length_penalty=0.0, **options))[0],
        search(decoder, {}, SearchOptions(temperature=1.0, **options))[0],
    ):
        assert sorted(found.ids) == [4, 5]
        assert not found.ended


# --- beam ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("penalty", PENALTIES)
def test_a_beam_of_one_is_greedy(kind, penalty):
    for seed in range(60):
        decoder = MAKERS[kind](seed)
        options = SearchOptions(length_penalty=penalty, no_repeat=seed % 4)
        assert beam_search(decoder, decoder.state, options) == [greedy(decoder, decoder.state, options)]


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("beam", [2, 3, 5])
def test_no_beam_scores_below_greedy(kind, penalty, beam):
    better = 0
    for seed in range(120):
        decoder = MAKERS[kind](seed)
        options = SearchOptions(beam=beam, length_penalty=penalty, no_repeat=seed % 4, max_length=8)
        least = greedy(decoder, decoder.state, options)
        found = beam_search(decoder, decoder.state, options)[0]
        assert found.score >= least.score
        better += found.score > least.score
    assert better > 12


def test_a_bare_beam_would_score_below_greedy():
    """Or the test above would show nothing: the likely words end badly, the unlikely one well."""

    def bare(decoder, options):
        live, found = [((), 0.0, decoder.state)], []
        for _ in range(options.max_length):
            following = []
            for ids, total, state in live:
                choices, after, _ = decoder.step(ids[-1] if ids else START, state)
                for word in (END, *range(4, len(choices))):
                    following.append(((*ids, word), total + float(choices[word]), after))
            following = sorted(following, key=lambda item: -item[1])[: options.beam]
            ended = [item for item in following if item[0][-1] == END]
            found += [total / len(ids) ** options.length_penalty for ids, total, _ in ended]
            live = [item for item in following if item[0][-1] != END]
        words = (options.max_length + 1) ** options.length_penalty
        return max([*found, *(total / words for _, total, _ in live)])

    options, worse = SearchOptions(beam=3, no_repeat=0, max_length=8), 0
    for seed in range(200):
        decoder = Table(seed)
        least = greedy(decoder, decoder.state, options).score
        worse += bare(decoder, options) < least - 1e-9
        assert beam_search(decoder, decoder.state, options)[0].score >= least
    assert worse


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("no_repeat", [0, 1, 2])
def test_a_wide_beam_finds_the_best_of_all_sentences(penalty, no_repeat):
    for seed in range(6):
        decoder = Table(seed, words=7, memory=3, sharpness=1.5)
        options = SearchOptions(400, penalty, no_repeat, max_length=5, n_best=5)
        all_of_them = everything(decoder, options)
        best = sorted(((score, ids, ended) for (ids, ended), (_, score) in all_of_them.items()), reverse=True)
        found = beam_search(decoder, decoder.state, options)
        assert [item.score for item in found] == pytest.approx([score for score, _, _ in best[:5]])
        assert [(item.ids, item.ended) for item in found] == [(ids, ended) for _, ids, ended in best[:5]]


@pytest.mark.parametrize("kind", MAKERS)
def test_each_sentence_of_a_beam_has_the_score_it_says(kind):
    for seed in range(10):
        decoder = MAKERS[kind](seed)
        options = SearchOptions(beam=4, n_best=4, max_length=7)
        found = beam_search(decoder, decoder.state, options)
        assert [item.score for item in found] == sorted((item.score for item in found), reverse=True)
        assert len({(item.ids, item.ended) for item in found}) == len(found)
        for item in found:
            state, gains = decoder.state, []
            told = (*item.ids, END) if item.ended else item.ids
            for before, word in zip((START, *told), told, strict=False):
                choices, state, _ = decoder.step(before, state)
                gains.append(float(choices[word]))
            assert item.log_probabilities == tuple(gains)
            assert item.log_probability == pytest.approx(sum(gains))
            assert item.score == pytest.approx(sum(gains) / (len(item.ids) + 1) ** 0.7)


@pytest.mark.parametrize("penalty", PENALTIES)
def test_stopping_early_saves_steps_and_changes_nothing(penalty, monkeypatch):
    saved = 0
    for seed in range(60):
        options = SearchOptions(beam=3, n_best=1 + seed % 3, length_penalty=penalty, max_length=10)
        decoder = Table(seed, sharpness=3.0)
        early, calls = beam_search(decoder, decoder.state, options), decoder.calls
        with monkeypatch.context() as patch:
            patch.setattr("rnnedge_device.search._settled", lambda *given: False)
            assert beam_search(decoder, decoder.state, options) == early
        saved += decoder.calls - 2 * calls
    assert saved > 0


def test_of_equal_words_the_lowest_id_comes_first():
    decoder = Fixed([-3.0, 1.0, 1.0, 1.0])
    options = SearchOptions(beam=3, n_best=3, no_repeat=0, max_length=2)
    assert greedy(decoder, {}, options).ids == (4, 4)
    assert [item.ids for item in beam_search(decoder, {}, options)] == [(4, 4), (4, 5), (4, 6)]


def test_attention_goes_with_the_words_of_its_own_sentence():
    for seed in range(5):
        decoder = Table(seed, sharpness=1.0)
        for item in beam_search(decoder, decoder.state, SearchOptions(beam=4, n_best=4)):
            assert [row[1] for row in item.attention] == [START, *item.ids][: len(item.ids)]


# --- drawing -------------------------------------------------------------------------------------------


def test_equal_seeds_draw_equal_sentences():
    decoder = Table(3, sharpness=1.0)
    options = [SearchOptions(temperature=1.0, n_best=5, seed=seed) for seed in (0, 0, 1)]
    drawn = [search(decoder, decoder.state, each) for each in options]
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]
    assert [item.score for item in drawn[0]] == sorted((item.score for item in drawn[0]), reverse=True)


def test_words_are_drawn_as_often_as_their_probability_says():
    decoder, temperature = Fixed([0.0, 1.0, 2.0]), 2.0
    options = SearchOptions(temperature=temperature, n_best=4000, max_length=1, no_repeat=0)
    drawn = sample(decoder, {}, options)
    counts = np.array([sum(item.ids == ids for item in drawn) for ids in ((), (4,), (5,))])
    weights = np.exp(np.array([0.0, 1.0, 2.0]) / temperature)
    assert counts / 4000 == pytest.approx(weights / weights.sum(), abs=0.03)
    choices = log_softmax(decoder.logits)
    assert {item.log_probability for item in drawn} == {float(choices[word]) for word in (END, 4, 5)}


def test_a_very_low_temperature_is_greedy():
    for seed in range(20):
        decoder = Recurrent(seed)
        cold = search(decoder, decoder.state, SearchOptions(temperature=1e-4))
        assert cold == [greedy(decoder, decoder.state, SearchOptions())]


# --- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"beam": 0},
        {"beam": 1.5},
        {"beam": True},
        {"max_length": 0},
        {"n_best": 0},
        {"no_repeat": -1},
        {"no_repeat": 0.0},
        {"seed": -1},
        {"seed": 0.5},
        {"length_penalty": -0.1},
        {"length_penalty": math.inf},
        {"temperature": -1.0},
        {"temperature": math.nan},
        {"temperature": "hot"},
        {"n_best": 2},
    ],
)
def test_a_bad_option_is_named(change):
    ((key, value),) = change.items()
    with pytest.raises(InputError, match=f"^{key} = {value!r}: must be "):
        SearchOptions(**change)


def test_options_come_from_the_bundle_but_for_the_changes():
    spec = CaptionSpec(max_length=9, beam=3, length_penalty=0.5, no_repeat=2)
    assert SearchOptions.of(spec) == SearchOptions(3, 0.5, 2, 9)
    assert SearchOptions.of(spec, n_best=2, beam=4) == SearchOptions(4, 0.5, 2, 9, n_best=2)


def test_a_decoder_that_gives_nan_is_refused():
    class Broken(Fixed):
        def step(self, token, state):
            return np.full(7, np.nan, np.float32), state, None

    for options in itertools.starmap(SearchOptions, [(1,), (3,)]):
        with pytest.raises(InputError, match=r"after \[\]: NaN"):
            search(Broken([0.0, 0.0]), {}, options)
    with pytest.raises(InputError, match="temperature = 0"):
        sample(Fixed([0.0, 0.0]), {}, SearchOptions())
