"""LogME: how well a linear model on fixed features explains labels, without training one.

Source: You, Liu, Wang and Long 2021, *LogME: Practical Assessment of Pre-trained Models for Transfer Learning* (ICML
2021), sections 4.1 and 4.2; written from the equations. Labels y (n) are F w plus noise of precision beta, and w has a
normal prior of precision alpha. The evidence p(y | F, alpha, beta) integrates over w, so many features cannot overfit:

    A = alpha I + beta F'F        m = beta A^-1 F'y
    log p = n/2 log beta + D/2 log alpha - n/2 log 2 pi - beta/2 |F m - y|^2 - alpha/2 |m|^2 - 1/2 log |A|

LogME is its largest value over alpha and beta, divided by n. For classes it is the mean over one-vs-rest labels of 0
and 1; for several regression targets the mean over them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from adapterxfer.errors import StatisticsError

Array = npt.NDArray[np.float64]

TOLERANCE = 1e-11
"""Of one step in log(alpha / beta). The evidence is flat at its maximum, so its error is far smaller."""

MAX_STEPS = 50_000
"""A few hundred are usual; only features that hardly matter need more."""

STARTS = (1e-4, 1e-2, 1.0, 1e2)
"""alpha / beta at the start, in units of the mean eigenvalue: the evidence can have several local maxima."""

BEYOND = 1e12
"""alpha / beta in units of the largest eigenvalue from which on the features explain nothing: the limit is exact."""

EXACT = 1e-12
"""Share of |y|^2 left unexplained below which labels are an exact function of the features, up to rounding."""


class _Spectrum(NamedTuple):
    """What the evidence needs of features and one label vector.

    Attributes:
        eigenvalues: of F'F, those above rounding, shape ``(rank,)``.
        projections: squared coordinates of y along the left singular vectors, shape ``(rank,)``.
        rest: squared length of what of y no linear model reaches.
        examples: n.
    """

    eigenvalues: Array
    projections: Array
    rest: float
    examples: int


def logme(features: Array, labels: npt.NDArray[np.generic]) -> float:
    """LogME of a classification: mean over the classes that occur, one against the rest.

    Args:
        features: shape ``(n, D)``; used as they are, as in the paper (no centring, no intercept).
        labels: class of each example, shape ``(n,)``; any values.

    Returns:
        Log evidence per example, in nats; higher is better.

    Raises:
        StatisticsError: shapes do not fit, a feature is not a number, fewer than two classes occur, or the features
            give the labels exactly (the evidence has no largest value then).
    """
    values, classes = np.unique(np.asarray(labels), return_inverse=True)
    if len(values) < 2:
        raise StatisticsError(
            f"LogME: {len(values)} class among {len(classes)} labels; expected at least 2", fix="take more examples"
        )
    return logme_regression(features, (classes[:, None] == np.arange(len(values))[None, :]).astype(np.float64))


def logme_regression(features: Array, targets: Array) -> float:
    """LogME of one or several regression targets: mean over them.

    Args:
        features: shape ``(n, D)``.
        targets: shape ``(n,)`` or ``(n, K)``.

    Raises:
        StatisticsError: as in `logme`; also where a target is 0 throughout.
    """
    x, y = np.asarray(features, dtype=np.float64), np.asarray(targets, dtype=np.float64)
    y = y[:, None] if y.ndim == 1 else y
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y) or not x.size or not y.size:
        raise StatisticsError(
            f"LogME: features of shape {x.shape}, targets of shape {np.shape(targets)}; expected (n, D) and (n,)",
            fix="give one row of features for every label",
        )
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise StatisticsError("LogME: features or targets are not finite", fix="look at the model they come from")
    left, singular, _ = np.linalg.svd(x, full_matrices=False)
    # The usual bound of numerical rank; beyond it singular values are rounding.
    kept = singular > singular[0] * max(x.shape) * np.finfo(np.float64).eps
    left, eigenvalues = left[:, kept], singular[kept] ** 2
    total = 0.0
    for target in y.T:
        coordinates = left.T @ target
        residual = target - left @ coordinates
        total += largest_evidence(_Spectrum(eigenvalues, coordinates**2, float(residual @ residual), len(target)))
    return float(total / y.shape[1] / len(x))


def largest_evidence(spectrum: _Spectrum) -> float:
    """The largest log evidence, by the paper's fixed-point iteration from several starts.

    With t = alpha / beta, gamma = sum of eigenvalue / (t + eigenvalue) is the number of weights the labels decide, and

        alpha <- gamma / |m|^2        beta <- (n - gamma) / |F m - y|^2

    Raises:
        StatisticsError: the labels are an exact linear function of fewer features than examples.
    """
    eigenvalues, projections, rest, n = spectrum
    length = float(projections.sum()) + rest
    if length == 0 or (rest <= EXACT * length and len(eigenvalues) < n):
        raise StatisticsError(
            "LogME: the labels are an exact linear function of the features, so the evidence has no largest value",
            fix="take more examples than features, and labels that vary",
        )
    limit = n / 2 * (np.log(n / length) - np.log(2 * np.pi) - 1)  # alpha without bound: all weights are 0
    if not len(eigenvalues):
        return float(limit)
    best = limit
    for start in STARTS:
        t = start * float(eigenvalues.mean())
        for _ in range(MAX_STEPS):
            gamma = float((eigenvalues / (t + eigenvalues)).sum())
            squared = float((eigenvalues * projections / (t + eigenvalues) ** 2).sum())
            residual = float((projections * (t / (t + eigenvalues)) ** 2).sum()) + rest
            if squared == 0:
                break
            after = gamma / squared * residual / (n - gamma) if n > gamma else 0.0
            if not 0 < after < BEYOND * float(eigenvalues.max()):
                break
            moved = abs(np.log(after / t))
            t = after
            if moved < TOLERANCE:
                break
        best = max(best, _evidence(spectrum, t))
    return float(best)


def _evidence(spectrum: _Spectrum, t: float) -> float:
    """Log evidence at alpha = t beta, with the beta that is best for it: |F m - y|^2 + t |m|^2 = n / beta there."""
    eigenvalues, projections, rest, n = spectrum
    penalised = float((projections * t / (t + eigenvalues)).sum()) + rest
    beta = n / penalised
    return float(n / 2 * (np.log(beta) - np.log(2 * np.pi) - 1) - np.log1p(eigenvalues / t).sum() / 2)
