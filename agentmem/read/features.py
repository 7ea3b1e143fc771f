"""What speaks for a passage being evidence, as numbers. Knows neither weights nor stores.

Each group is a function from a question and a pool to named columns `[N]`. Scores are divided by their spread in
the pool, so that they mean the same for every question; marks are 0, 1 or a small count. A conditional logit
over them (`combine`) is blind to what is added to a whole column, so no column is centred.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from agentmem.contracts import Vectors
from agentmem.embed.late import Span
from agentmem.embed.pieces import says_something
from agentmem.read import lexis
from agentmem.read.pool import Places, Pool
from agentmem.read.query import Analysis, named

Column = NDArray[np.float64]
Columns = dict[str, Column]
# what there is to compare a question by: word pieces, vectors of meaning, of hashed words, or words alone
Ability = Literal["late", "dense", "hashed", "words"]
# a session is as good as its best few turns
_SESSION_TOP = 3
_FROM_QUESTION = 0.5
_FROM_AROUND = 0.4
_LONG_WORDS = 60
# narrower than this, scores differ by noise
_LEAST_SPREAD = 0.02
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as the features see it: analysed, in terms, as a vector `[D]` and in word pieces `[Q, D]`.

    `spans` say where in the text each piece stands, where that is known.
    """

    text: str
    analysis: Analysis
    terms: tuple[str, ...]
    vector: Vectors | None
    pieces: Vectors | None = None
    spans: tuple[Span, ...] | None = None


def features(asked: Asked, pool: Pool) -> Columns:
    """Every column that this question and pool allow, by name."""
    columns: Columns = {}
    for group in GROUPS.values():
        columns.update(group(asked, pool))
    return columns


def dense(asked: Asked, pool: Pool) -> Columns:
    """Cosines: of the passage, of it blended with its neighbours, of its session's best."""
    if asked.vector is None or pool.vectors is None:
        return {}
    rows = pool.vectors
    own = (rows @ asked.vector).astype(np.float64)
    around = _shifted_rows(rows, pool.before)
    around += _shifted_rows(rows, pool.after)
    around *= np.float32(_FROM_AROUND)
    around += rows
    after_question, questions = rows.copy(), _questions(pool)
    answers = questions >= 0
    after_question[answers] += _FROM_QUESTION * rows[questions[answers]]
    blends = {"dense_after_question": after_question, "dense_around": around}
    return {
        "dense": spread(own),
        **{name: spread(_unit(blend) @ asked.vector) for name, blend in blends.items()},
        "dense_session": spread(_session_best(own, pool.session)),
    }


def late(asked: Asked, pool: Pool) -> Columns:
    """Late interaction: how near each piece of the question comes to any piece of the passage (MaxSim), on average.

    Weighed, a piece counts by how much nearer the best passage of the pool comes than the average one does: what all
    or none of them say tells nothing. Also with each piece sought in the question before, too, or in as many turns on
    either side: an answer seldom repeats what the talk has been about. Pieces of content are those of neither stop
    words nor speakers' names, who speak half of everything; `late_above` counts how far a passage stands above the pool
    at each of them, in standard deviations.
    """
    near = pool.pieces
    if near is None or not len(near):
        return {}
    weights = late_weights(near)
    after_question = np.maximum(near, _shifted_rows(near, _questions(pool), otherwise=-1.0))
    by_one = _widened(near, pool)
    by_two = _widened(by_one, pool)
    by_four = _widened(_widened(by_two, pool), pool)
    content = _content(asked, pool, near.shape[1])
    about = weights[content] / weights[content].sum()
    above = np.maximum(near - near.mean(axis=0), 0.0) / (near.std(axis=0) + _LEAST_SPREAD)
    above_by_two = _widened(_widened(above, pool), pool)
    return {
        "late": spread(near.mean(axis=1)),
        "late_weighed": spread(near @ weights),
        "late_after_question": spread(after_question @ weights),
        "late_around": spread(by_one @ weights),
        "late_around_two": spread(by_two @ weights),
        "late_around_four": spread(by_four @ weights),
        "late_content": spread(near[:, content] @ about),
        "late_content_around_two": spread(by_two[:, content] @ about),
        "late_above": spread(above[:, content].mean(axis=1)),
        "late_above_around_two": spread(above_by_two[:, content].mean(axis=1)),
    }


def _content(asked: Asked, pool: Pool, pieces: int) -> NDArray[np.bool_]:
    """Which pieces of the question `[Q]` are of content; all of them where none is, or nobody can tell."""
    every = np.ones(pieces, dtype=bool)
    if asked.spans is None or len(asked.spans) != pieces:
        return every
    names = {word.casefold() for name in _named(asked, pool) for word in name.split()}
    of_names = [found.span() for found in _WORD.finditer(asked.text) if found.group().casefold() in names]
    content = np.array(
        [
            says_something(asked.text[start:end]) and not any(low <= start < high for low, high in of_names)
            for start, end in asked.spans
        ]
    )
    return content if content.any() else every


def _widened(near: Vectors, pool: Pool) -> Vectors:
    """The nearest of each row `[N, Q]` and the rows of the turns right before and after."""
    before = _shifted_rows(near, pool.before, otherwise=-1.0)
    after = _shifted_rows(near, pool.after, otherwise=-1.0)
    widened: Vectors = np.maximum(np.maximum(near, before), after)
    return widened


def late_weights(near: Vectors) -> Column:
    """What each piece of a question counts `[Q]`, for nearness `[N, Q]`; they sum to 1."""
    above: Column = np.maximum(near.max(axis=0) - near.mean(axis=0), 1e-6).astype(np.float64)
    weights: Column = above / above.sum()
    return weights


def words(asked: Asked, pool: Pool) -> Columns:
    """Terms shared: BM25 in three views, and the share of the question's weight that is covered."""
    names = {term for name in _named(asked, pool) for term in lexis.terms_of(name)}
    wanted = list(dict.fromkeys(asked.terms))
    about = [place for place, term in enumerate(wanted) if term not in names]
    counts, lengths = lexis.occurrences(wanted, [view.said for view in pool.views])
    said = lexis.Matches(counts[:, about], lengths)
    # a pool has few speakers and days
    headers = {header: place for place, header in enumerate({view.header: None for view in pool.views})}
    of = [headers[view.header] for view in pool.views]
    in_headers, header_lengths = lexis.occurrences(wanted, list(headers))
    indexed = lexis.Matches(counts + in_headers[of], lengths + header_lengths[of])
    there = said.present
    after_question = np.maximum(there, _shifted_rows(there, _questions(pool)))
    before = np.maximum(there, _shifted_rows(there, pool.before))
    around = np.maximum(before, _shifted_rows(there, pool.after))
    everywhere = np.zeros((pool.session.max() + 1, there.shape[1]))
    np.maximum.at(everywhere, pool.session, there)
    return {
        "lexical": spread(indexed.bm25()),
        "lexical_said": spread(said.bm25()),
        "lexical_after_question": spread(indexed.bm25(also=_questions(pool))),
        "covered": said.covered(there),
        "covered_after_question": said.covered(after_question),
        "covered_around": said.covered(around),
        "covered_session": said.covered(everywhere)[pool.session],
    }


def people(asked: Asked, pool: Pool) -> Columns:
    """Whether the one the question names speaks, or is spoken of."""
    wanted = _named(asked, pool)
    folded = [name.casefold() for name in wanted]
    mentions = np.array([float(any(name in view.lower for name in folded)) for view in pool.views])
    speaks = np.array(
        [
            float(passage.speaker in wanted) if passage.speaker else said
            for passage, said in zip(pool.passages, mentions, strict=True)
        ]
    )
    alone = float(len(wanted) == 1)
    first = wanted[0] if len(wanted) > 1 else None
    return {
        "speaks": speaks,
        "speaks_alone": speaks * alone,
        "other_speaks": alone * (1.0 - speaks),
        "speaks_first": np.array(
            [float(first is not None and passage.speaker == first) for passage in pool.passages]
        ),
        "mentioned": mentions,
    }


def dates(asked: Asked, pool: Pool) -> Columns:
    """How near a passage was said to the time that the question names; of the present, how late it was said."""
    spans = asked.analysis.spans
    newest = _newest(pool) * (not spans)
    present = {
        "newest_now": newest * asked.analysis.asks_now,
        # a list asks for all there has been
        "newest_present": newest * (asked.analysis.tense == "present" and not asked.analysis.broad),
    }
    if not spans:
        return {name: np.zeros(len(pool)) for name in ("in_time", "near_in_days", "near_in_months")} | present
    days = np.array([min(span.distance_days(p.at) for span in spans) for p in pool.passages])
    return present | {
        "in_time": (days == 0.0).astype(np.float64),
        "near_in_days": np.exp(-days / 7.0),
        "near_in_months": np.exp(-days / 30.0),
    }


def manner(asked: Asked, pool: Pool) -> Columns:
    """What kind of turn it is, and whether that suits the kind of question."""
    views = pool.views
    kind = asked.analysis.kind
    times = np.array([float(view.times) for view in views])
    names = np.array([float(view.names) for view in views])
    quotes = np.array([float(view.quotes) for view in views])
    numbers = np.array([float(view.numbers) for view in views])
    asks = np.array([float(view.asks) for view in views])
    return {
        "length": np.log1p(np.minimum([view.words for view in views], _LONG_WORDS)),
        "asks": asks,
        "asks_inside": np.array([float(view.asks_inside) for view in views]),
        "answers": shifted(asks, pool.before, 0.0),
        "shows": np.array([float(view.shows) for view in views]),
        "times": times,
        "names": names,
        "quotes": quotes,
        "numbers": numbers,
        "oneself": np.array([float(view.oneself) for view in views]),
        "when_times": times * (kind == "when"),
        "count_numbers": numbers * (kind == "how many"),
        "who_names": names * (kind == "who"),
        "where_names": names * (kind == "where"),
        "title_quotes": quotes * asked.analysis.asks_title,
    }


Group = Callable[[Asked, Pool], Columns]
GROUPS: Mapping[str, Group] = {
    "dense": dense,
    "late": late,
    "words": words,
    "people": people,
    "dates": dates,
    "manner": manner,
}


def spread(values: Column | Vectors) -> Column:
    """Values in their standard deviations."""
    scores: Column = np.asarray(values, dtype=np.float64)
    return scores / (scores.std() + _LEAST_SPREAD) if len(scores) else scores


def shifted(values: Column, places: Places, otherwise: float) -> Column:
    """Each passage's neighbour's value, `otherwise` where it has none."""
    return np.where(places >= 0, values[np.maximum(places, 0)], otherwise)


def _shifted_rows(rows: NDArray[np.floating[Any]], places: Places, otherwise: float = 0.0) -> Any:
    moved = rows[places]
    moved[places < 0] = otherwise
    return moved


def _unit(rows: Vectors) -> Vectors:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = (rows / np.where(norms > 0, norms, 1)).astype(np.float32, copy=False)
    return unit


def _session_best(values: Column, session: Places) -> Column:
    best = np.zeros(session.max() + 1)
    for number in range(len(best)):
        best[number] = np.sort(values[session == number])[-_SESSION_TOP:].mean()
    return best[session]


def _questions(pool: Pool) -> Places:
    """The place of the turn before where that one asks something, else -1: an answer is read with its question."""
    asks = np.array([view.asks for view in pool.views])
    return np.where((pool.before >= 0) & asks[np.maximum(pool.before, 0)], pool.before, -1)


def _newest(pool: Pool) -> Column:
    """How late each was said among the pool: 0 the first, 1 the last."""
    times = sorted({passage.at for passage in pool.passages})
    place = {at: number / max(len(times) - 1, 1) for number, at in enumerate(times)}
    return np.array([place[passage.at] for passage in pool.passages])


def _named(asked: Asked, pool: Pool) -> tuple[str, ...]:
    speakers = {passage.speaker for passage in pool.passages if passage.speaker}
    return named(asked.analysis.text, speakers)
