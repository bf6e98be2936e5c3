"""Every error a user can cause or meet, as one small tree.

Each error names the place, says what is wrong, and carries a line that says how to fix it. The command line prints
`str(error)` without a traceback and exits with `error.exit_code`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class AdapterxferError(Exception):
    """Base of all errors raised on purpose.

    Args:
        what: the problem, with its place: ``where: what; expected``.
        fix: one line that says how to fix it; printed below the problem.
    """

    exit_code = 2

    def __init__(self, what: str, *, fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}\n  fix: {self.fix}" if self.fix else self.what

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.fix)


def _rebuild(kind: type[AdapterxferError], problem: str, fix: str) -> AdapterxferError:
    """Recreate an error that crossed a process border (keyword-only arguments do not survive the default way)."""
    error = kind.__new__(kind)
    AdapterxferError.__init__(error, problem, fix=fix)
    return error


def joined(errors: Sequence[AdapterxferError]) -> AdapterxferError | None:
    """Several errors as one that says all of them; of their kind where they are of one; None for none.

    So that a machine that lacks three things says so once instead of three times.
    """
    if len(errors) < 2:
        return errors[0] if errors else None
    fixes = dict.fromkeys(fix for error in errors for fix in error.fix.split("\n       ") if fix)
    kinds = {type(error) for error in errors}
    kind = kinds.pop() if len(kinds) == 1 else AdapterxferError
    return kind("\n".join(error.what for error in errors), fix="\n       ".join(fixes))


def wrong_schema(path: object, schema: object, known: int) -> tuple[str, str]:
    """What is wrong with a file of another schema than this version reads, and the fix.

    Every kind of file has had one schema so far, so there is nothing that a file could be converted from.

    Args:
        path: of the file.
        schema: its ``schema``, whatever that is.
        known: what this version reads.
    """
    problem = f"{path}: schema {schema}; this version of adapterxfer reads schema {known}"
    if isinstance(schema, int) and schema > known:
        return problem, "install the newer adapterxfer that wrote it, or use another --store"
    return problem, "remove the folder it is in, then run the recipe again: it is made anew"


class Problem(NamedTuple):
    """One mistake in a recipe file, with its position (1-based)."""

    line: int
    column: int
    message: str


class RecipeError(AdapterxferError):
    """A recipe cannot be read or understood; lists every problem found in it at once."""

    def __init__(self, source: str, problems: list[Problem], *, fix: str = "") -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = [f"  {source}:{p.line}:{p.column}: {p.message}" for p in sorted(problems)]
        super().__init__("\n".join([f"{source}: {count}", *lines]), fix=fix)
        self.source = source
        self.problems = tuple(sorted(problems))


class CatalogueError(AdapterxferError):
    """An entry of the catalogue lacks a part, or two entries contradict each other."""


class DataError(AdapterxferError):
    """Data are missing, damaged, or not what the catalogue says they are."""


class BackboneError(AdapterxferError):
    """A backbone cannot be found, loaded, or does not match its fingerprint."""


class VariantError(AdapterxferError):
    """A transfer variant cannot be built, or an assertion about a built one does not hold."""


class BundleError(AdapterxferError):
    """A bundle is incomplete, damaged, or does not fit what it is to be used with; nothing of it was used."""


class HubError(AdapterxferError):
    """The Hub could not be reached or refused a request; whatever was transferred so far is kept for the next try."""

    exit_code = 1


class StatisticsError(AdapterxferError):
    """The numbers given cannot answer the question asked of them."""


class StageError(AdapterxferError):
    """A stage failed while running."""

    exit_code = 1


class StageStopped(AdapterxferError):
    """A stage was asked to stop, saved where it was, and ended; the next run goes on from there."""

    exit_code = 75


class StoreError(AdapterxferError):
    """The store is in use by another run, read-only, or damaged."""

    exit_code = 3


class MissingDependency(AdapterxferError):
    """An optional library is needed for the requested feature.

    Args:
        feature: what was asked for.
        extra: the extra of this package that installs it.
        versions: file of versions that go together, where the newest ones do not.
    """

    def __init__(self, feature: str, extra: str, *, versions: str = "") -> None:
        given = f"-c {versions} " if versions else ""
        super().__init__(f"{feature} needs the extra '{extra}'", fix=f"pip install {given}'adapterxfer[{extra}]'")
