"""Named checks of the data: what a reader should know before believing a number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from adapterxfer.data.word_starts import NEEDED_SHARE
from adapterxfer.report.content import BackboneFacts, Caution, Effect, Score
from adapterxfer.report.declared import Judged
from adapterxfer.report.display import signed
from adapterxfer.report.far_runs import FAR, TIMES, far_runs
from adapterxfer.report.inputs import InputRow, unmarked
from adapterxfer.report.sampling import TOLERANCE, Sampled
from adapterxfer.report.study import Study

CONTEXT_GAP_NATS = 0.1
"""A gain from context below this counts as none."""

CEILING_POINTS = 98.5
"""Source-language scores from here on leave no room for a gain."""

MARKER_CLOZE_PERCENT = 45.0
"""A backbone of the embedded world below this in English hardly learned discourse markers; chance is 33."""

FEW_SEEDS = 3
"""Below this many seeds a caution is shown: the 95 % interval of two runs is 12.7 standard errors to each side (t with
one degree of freedom), that of three runs 4.3."""

LISTED = 6
"""Most items that one caution names; the others are counted, since a page of names would not be read."""


def find_cautions(
    study: Study,
    effects: Sequence[Effect],
    scores: Sequence[Score],
    backbones: Sequence[BackboneFacts],
    libraries: dict[str, tuple[str, ...]],
    missing: Sequence[str],
    *,
    tests: Sequence[Judged] = (),
    resamples: int = 0,
    level: float = 0.95,
    sampling: Sequence[Sampled] = (),
    inputs: Sequence[InputRow] = (),
) -> tuple[Caution, ...]:
    """All checks that found something, the most general first.

    Args:
        tests: declared hypotheses and the ladders of the main questions.
        sampling: shares of mixed intermediate trainings.
        inputs: what the tokenizers made of the test texts.
    """
    return (
        *_missing(missing, len(study.systems)),
        *_seeds(effects),
        *_far_runs(study),
        *_controls(effects),
        *_context(backbones),
        *_cloze(backbones),
        *_overlaps(study),
        *_ceiling(scores, study),
        *_scales(tests),
        *_lonely(study),
        *_unequal(study),
        *_monte_carlo(effects, resamples, level),
        *_flags(effects),
        *_libraries(libraries),
        *_sampling(sampling),
        *_word_starts(inputs),
    )


def _word_starts(inputs: Sequence[InputRow]) -> Iterator[Caution]:
    if lines := unmarked(inputs):
        yield Caution(
            "word starts",
            f"Less than {NEEDED_SHARE:.0%} of the words given to a tagger begin with the mark of a word: the "
            f"backbone reads the others as middles of words, and scores are too low: {_listed(lines)}",
        )


def _sampling(sampling: Sequence[Sampled]) -> Iterator[Caution]:
    off = [row for row in sampling if row.off > TOLERANCE]
    if off:
        worst = max(off, key=lambda row: row.off)
        yield Caution(
            "sampling shares",
            f"{len(off)} of {len(sampling)} shares of mixed intermediate trainings are more than {TOLERANCE:.0%} of "
            f"all draws off what was declared (most: {worst.part} in {worst.intermediate}, declared "
            f"{worst.declared:.1%}, drawn {worst.low:.1%} to {worst.high:.1%}): these trainings are too short to "
            "keep them.",
        )


def _missing(missing: Sequence[str], finished: int) -> Iterator[Caution]:
    if missing:
        text = (
            f"{len(missing)} cells of the plan have no predictions yet, so means are over the cells that are finished: "
            + _listed(missing)
        )
        yield Caution("unfinished study", text)
    if not finished:
        text = "No system but controls has predictions: there is nothing to compare with them"
        yield Caution("controls alone", f"{text} yet." if missing else f"{text}; a variant such as full-ft would be.")


def _seeds(effects: Sequence[Effect]) -> Iterator[Caution]:
    seeds = [effect.seeds for effect in effects if effect.seeds > 0]
    if not seeds or min(seeds) >= FEW_SEEDS:
        return
    if min(seeds) == 1:
        text = (
            "Some systems were trained once. Their intervals are about new test items for these very models; "
            "nothing is known about training again."
        )
    else:
        text = (
            "Two training runs per system: the spread between runs is estimated from one difference per system, so "
            "intervals of single cells are wide. Means over many cells are better founded; five seeds are advisable."
        )
    yield Caution("few seeds", text)


def _far_runs(study: Study) -> Iterator[Caution]:
    if far := [str(run) for run in far_runs(study)]:
        one = len(far) == 1
        yield Caution(
            "runs far from the others",
            f"{len(far)} training run{' is' if one else 's are'} {FAR:g} points or more from the median of the same "
            f"system's runs, and {TIMES:g} times as far as the others: {_listed(far)} "
            f"{'It counts' if one else 'They count'} in every mean and {'makes' if one else 'make'} intervals wide, "
            "which no further test item narrows. Mostly a training did not learn, perhaps of an intermediate task that "
            "others are built on: `adapterxfer show STAGE` prints the first and last loss of each. The usual cures are "
            "a smaller learning rate, more steps, and a rate chosen by several `seeds`.",
        )


def _controls(effects: Sequence[Effect]) -> Iterator[Caution]:
    below = [
        f"{e.variant} {e.backbone} on {e.target} ({signed(e.estimate)} against {e.against})"
        for e in effects
        if e.kind == "above control" and (e.ends[0] <= 0.0 or e.p is None)
    ]
    if below:
        yield Caution(
            "not above a control",
            f"{len(below)} scores without intermediate training are not clearly above a control (a rule that needs no "
            f"transfer, or a head on the frozen backbone), so differences there may mean little: {_listed(below)}",
        )


def _context(backbones: Sequence[BackboneFacts]) -> Iterator[Caution]:
    for facts in backbones:
        values = facts.diagnostics
        if facts.untrained or not {"mlm", "unigram", "shuffled"} <= set(values):
            continue
        below_unigram = values["unigram"] - values["mlm"]
        shuffled_gap = values["shuffled"] - values["mlm"]
        if min(below_unigram, shuffled_gap) < CONTEXT_GAP_NATS:
            yield Caution(
                "backbone uses no context",
                f"{facts.name}: held-out loss {values['mlm']:.2f} nats, unigram level {values['unigram']:.2f}, with "
                f"shuffled context {values['shuffled']:.2f}. It learned word frequencies only.",
            )


def _cloze(backbones: Sequence[BackboneFacts]) -> Iterator[Caution]:
    weak = [
        f"{facts.name} {facts.diagnostics['marker_cloze_en']:.0f} %"
        for facts in backbones
        if not facts.untrained and facts.diagnostics.get("marker_cloze_en", 100.0) < MARKER_CLOZE_PERCENT
    ]
    if weak:
        yield Caution(
            "weak pretraining",
            f"English discourse markers are put back right in less than {MARKER_CLOZE_PERCENT:.0f} % of sentences "
            f"(chance 33 %), so inference between sentences was hardly learned: {_listed(weak)}",
        )


def _overlaps(study: Study) -> Iterator[Caution]:
    if study.overlaps:
        pairs = _listed([f"{intermediate} with {target}" for intermediate, target in sorted(study.overlaps)])
        yield Caution(
            "overlapping data",
            f"These intermediate tasks share text with the target, so their gain is not transfer and is left out of "
            f"every mean: {pairs}",
        )


def _ceiling(scores: Sequence[Score], study: Study) -> Iterator[Caution]:
    high = sorted(
        {s.target for s in scores if s.group_kind == "source" and not s.control and s.score >= CEILING_POINTS}
    )
    high = [name for name in high if name in study.targets]
    if high:
        yield Caution(
            "ceiling",
            f"Source-language scores reach {CEILING_POINTS} points on {', '.join(high)}: a falling gain may only mean "
            "that there is no room left.",
        )


def _scales(tests: Sequence[Judged]) -> Iterator[Caution]:
    named = [test.text or test.name for test in tests if test.scale_dependent]
    if named:
        yield Caution(
            "scale dependent",
            "In points, logits and relative errors these trends differ in sign or significance, so a change with size "
            f"may be a ceiling: {_listed(named)}",
        )


def _lonely(study: Study) -> Iterator[Caution]:
    """Families of which only one language was tested: nothing is known about others of the family."""
    members: dict[str, set[str]] = {}
    for groups in study.groups.values():
        for group in groups:
            if group.kind == "family":
                members.setdefault(group.name, set()).update(group.languages)
    alone = [f"{family} ({next(iter(codes))})" for family, codes in sorted(members.items()) if len(codes) == 1]
    if alone:
        yield Caution(
            "one language in a family",
            f"These families stand on a single language, so a result is about that language: {_listed(alone)}",
        )


def _unequal(study: Study) -> Iterator[Caution]:
    """Parallel targets whose languages do not have the same items."""
    partly = []
    for target in study.targets:
        sizes = {row.cell.language: row.examples for row in study.table.rows if row.cell.target == target}
        domains = {row.domain for row in study.table.rows if row.cell.target == target}
        if domains == {target} and len(set(sizes.values())) > 1:
            partly.append(f"{target} ({min(sizes.values()):,} to {max(sizes.values()):,} items)")
    if partly:
        yield Caution(
            "partly parallel",
            "Languages share their items only in part; what is missing in a language does not count there: "
            f"{_listed(partly)}",
        )


def _monte_carlo(effects: Sequence[Effect], resamples: int, level: float) -> Iterator[Caution]:
    """Bootstrap p-values so close to the limit that other resamples could move them across it."""
    if not resamples:
        return
    alpha = 1.0 - level
    error = math.sqrt(alpha * level / resamples)
    close = [e for e in effects if e.items_p_adjusted is not None and abs(e.items_p_adjusted - alpha) < 2.0 * error]
    if close:
        yield Caution(
            "Monte Carlo error",
            f"{len(close)} of {len(effects)} adjusted bootstrap p-values over items lie within two Monte Carlo errors "
            f"of {alpha:.2g} (each is {error:.4f} with {resamples} resamples): more resamples would settle them.",
        )


def _flags(effects: Sequence[Effect]) -> Iterator[Caution]:
    counted: dict[str, int] = {}
    for effect in effects:
        for flag in effect.flags:
            counted[flag] = counted.get(flag, 0) + 1
    named = [
        f"{number} of {len(effects)} comparisons ({flag})"
        for flag, number in counted.items()
        if "training run" not in flag and "slope through" not in flag
    ]
    if named:
        yield Caution("statistics", _listed(named))


def _libraries(libraries: dict[str, tuple[str, ...]]) -> Iterator[Caution]:
    mixed = [f"{name} {' and '.join(versions)}" for name, versions in libraries.items() if len(versions) > 1]
    if mixed:
        yield Caution(
            "library versions differ",
            f"The compared predictions were made with different versions of {_listed(mixed)}; small differences "
            "may come from the libraries.",
        )


def _listed(items: Sequence[str]) -> str:
    more = f"; and {len(items) - LISTED} more" if len(items) > LISTED else ""
    return "; ".join(items[:LISTED]) + more + "."
