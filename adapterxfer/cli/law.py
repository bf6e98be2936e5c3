"""Laws of the gain over backbone sizes: which form fits, and what to expect at a size or language not tried yet."""

from __future__ import annotations

import argparse
import json
import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapterxfer.cli.console import say, say_json, say_table
from adapterxfer.cli.options import add_generation, add_json, add_recipe, add_store, read_recipe, say_caution
from adapterxfer.errors import AdapterxferError

if TYPE_CHECKING:
    from adapterxfer.recipe import Recipe
    from adapterxfer.report.law import LawOfGain
    from adapterxfer.report.registration import Scored

_SUFFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}


def _size(text: str) -> float:
    """``560M``, ``1.2B`` or ``85000000``."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?(?:e[0-9]+)?)([kmb]?)", text.strip().lower())
    value = float(match[1]) * _SUFFIXES[match[2]] if match else 0.0
    if not 1.0 <= value < 1e15:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of parameters such as 560M, 1.2B or 85000000")
    return value


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of `law`."""
    add_recipe(parser)
    add_store(parser)
    add_generation(parser)
    parser.add_argument(
        "--at", action="append", default=[], type=_size, metavar="PARAMETERS",
        help="predict the gain of a backbone of this size (non-embedding parameters), e.g. --at 560M",
    )  # fmt: skip
    parser.add_argument(
        "--language", action="append", default=[], metavar="CODE=FAMILY",
        help="predict for a language that was not measured, e.g. --language sw=Niger-Congo",
    )  # fmt: skip
    parser.add_argument(
        "--text", metavar="SERIES|FILE",
        help="let a language's level follow the logarithm of its pretraining text: a series of the catalogue, e.g. "
        "xlm-r, or a JSON file {code: amount}",
    )  # fmt: skip
    parser.add_argument("--level", type=float, default=0.95, help="of the intervals (default: 0.95)")
    parser.add_argument("--register", metavar="FILE", help="write the predictions with their sha256, before the run")
    parser.add_argument("--score", metavar="FILE", help="score registered predictions by what is finished now")
    add_json(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the forms of every variant, then predictions or their scores."""
    from adapterxfer.api.laws import laws, register_laws, score_laws

    if not 0.0 < arguments.level < 1.0:
        raise AdapterxferError(f"--level {arguments.level:g}: expected between 0 and 1", fix="0.95 is usual")
    if arguments.score and (arguments.register or arguments.at or arguments.language):
        raise AdapterxferError(
            "--score takes its questions from the file", fix="leave --at, --language and --register out"
        )
    if arguments.language and not arguments.at:
        raise AdapterxferError("--language without a size", fix="add --at PARAMETERS")
    recipe = read_recipe(arguments)
    say_caution(arguments, recipe)
    if arguments.score:
        rows, missing, content = score_laws(
            recipe, Path(arguments.score), store=arguments.store, only=arguments.only, generation=arguments.generation
        )
        if arguments.json:
            say_json(
                "law", {"registration": content, "scored": [_plain_score(row) for row in rows], "missing": missing}
            )
        else:
            _say_scores(rows, missing, content)
        return 0
    languages = _languages(arguments.language)
    fitted, without = laws(
        recipe, store=arguments.store, only=arguments.only, at=arguments.at, languages=languages,
        tokens=_tokens(arguments.text), level=arguments.level, generation=arguments.generation,
    )  # fmt: skip
    registered = ""
    if arguments.register:
        registered = register_laws(recipe, Path(arguments.register), fitted, level=arguments.level)
    if arguments.json:
        say_json("law", {"laws": [_plain(law) for law in fitted], "without": without, "sha256": registered or None})
        return 0
    _say_laws(recipe, fitted, without, arguments.level)
    if registered:
        say(f"registered in {arguments.register}, sha256 {registered}")
        say(f"  publish the sha256 now; after the run: adapterxfer law {arguments.recipe} --score {arguments.register}")
    return 0


def _languages(entries: list[str]) -> dict[str, str]:
    languages = {}
    for text in entries:
        code, equals, family = text.partition("=")
        if not code or not equals or not family:
            raise AdapterxferError(f"--language {text!r}: expected CODE=FAMILY", fix="for example sw=Niger-Congo")
        languages[code] = family
    return languages


def _tokens(text: str | None) -> dict[str, float] | None:
    if text is None:
        return None
    from adapterxfer.catalog.languages import known_languages
    from adapterxfer.catalog.pretraining import pretraining_gib

    path = Path(text)
    if path.suffix == ".json":
        try:
            amounts = json.loads(path.read_text(encoding="utf-8"))
            return {str(code): float(amount) for code, amount in amounts.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            raise AdapterxferError(f"--text {text}: {error}", fix="give a JSON file {code: amount}") from None
    try:
        known = {code: pretraining_gib(code, text) for code in known_languages()}
    except ValueError as error:
        raise AdapterxferError(f"--text {text}: {error}", fix="give a series such as xlm-r, or a JSON file") from None
    return {code: gib for code, gib in known.items() if gib}


def _say_laws(recipe: Recipe, fitted: list[LawOfGain], without: dict[str, str], level: float) -> None:
    from adapterxfer.report.display import parameter_text

    if recipe.synthetic:
        say("synthetic demonstration: made-up languages, tasks and tiny backbones")
    for law in fitted:
        series = law.series
        say()
        say(f"{series.variant}: zero-shot gain, mean of {len(series.pairs)} pairs of intermediate and target task")
        say_table(
            ["  backbone", "parameters", "gain", "se"],
            [
                [f"  {name}", parameter_text(size), f"{effect:+.2f}", f"{error:.2f}"]
                for name, size, effect, error in zip(
                    series.backbones, series.parameters, series.effects, series.standard_errors, strict=True
                )
            ],
            right=(1, 2, 3),
        )
        enough = math.isfinite(law.laws.forms[0].left_out_error)
        say_table(
            ["  form", "weight", "error at a size left out", "behind"],
            [
                [
                    f"  {fit.form}",
                    f"{fit.weight:.0%}",
                    f"{fit.left_out_error:.2f}" if enough else "-",
                    f"{fit.behind:.1f} +- {fit.behind_error:.1f}" if enough else "-",
                ]
                for fit in law.laws.forms
            ],
            right=(1, 2),
        )
        say(
            f"  gains lie {law.laws.deviation:.2f} points from the law, of which sampling errors explain "
            f"{law.laws.sampling_error:.2f}"
        )
        for item in law.expected:
            subject = {"mean": "mean of the languages", "family": f"family {item.name}"}.get(
                item.kind, f"language {item.name} ({item.family or 'a family not measured'})"
            )
            interval = f"{item.low:+.2f} to {item.high:+.2f}, {level:.0%}"
            say(f"  at {parameter_text(item.parameters)}, {subject}: {item.value:+.2f} ({interval})")
            for form, (value, low, high) in item.forms.items():
                say(f"    if {form}: {value:+.2f} ({low:+.2f} to {high:+.2f})")
        for note in law.notes:
            say(f"  note: {note}")
    for variant, reason in without.items():
        say()
        say(f"{variant}: no law: {reason}")


def _say_scores(rows: list[Scored], missing: list[str], content: dict[str, Any]) -> None:
    say(f"registered {content['registered_at']}, sha256 {content['sha256']}")
    if rows:
        say_table(
            ["variant", "prediction", "backbone", "expected", "interval", "measured", "inside", "log density"],
            [
                [
                    row.variant,
                    f"{row.kind} {row.name}".strip(),
                    row.backbone,
                    f"{row.value:+.2f}",
                    f"{row.low:+.2f} to {row.high:+.2f}",
                    f"{row.measured:+.2f}",
                    "yes" if row.inside else "no",
                    f"{row.log_density:.2f}",
                ]
                for row in rows
            ],
            right=(3, 5, 7),
        )
        say(f"{sum(row.inside for row in rows)} of {len(rows)} inside their {content['level']:.0%} interval")
    for name in dict.fromkeys(row.backbone for row in rows if row.before is False):
        say(f"note: {name} was trained before the registration: this is no prediction")
    for line in missing:
        say(f"not scored: {line}")


def _plain(law: LawOfGain) -> dict[str, Any]:
    series = law.series
    return {
        "variant": series.variant,
        "backbones": dict(zip(series.backbones, series.parameters, strict=True)),
        "pairs": [list(pair) for pair in series.pairs],
        "effects": series.effects.tolist(),
        "covariance": series.covariance.tolist(),
        "forms": [
            {
                "form": fit.form,
                "weight": fit.weight,
                **{
                    name: value if math.isfinite(value := getattr(fit, name)) else None
                    for name in ("left_out_error", "left_out_density", "behind", "behind_error")
                },
            }
            for fit in law.laws.forms
        ],
        "told_apart": law.laws.told_apart,
        "deviation": law.laws.deviation,
        "sampling_error": law.laws.sampling_error,
        "expected": [
            {
                **{
                    name: getattr(item, name)
                    for name in ("kind", "name", "family", "parameters", "value", "low", "high")
                },
                "forms": {form: list(values) for form, values in item.forms.items()},
            }
            for item in law.expected
        ],
        "notes": list(law.notes),
    }


def _plain_score(row: Scored) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(row)
