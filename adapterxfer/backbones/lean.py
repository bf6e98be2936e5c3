"""Less to import in a process that runs stages and nothing else.

`transformers` imports scikit-learn, and with it pandas and scipy, for assisted decoding and for losses of object
detection, as soon as any encoder is imported: a second and 130 MB in every worker. A worker needs neither.
"""

from __future__ import annotations

UNNEEDED = ("is_sklearn_available", "is_scipy_available")
"""Questions of `transformers` that a lean process answers with no."""

_lean = False


def be_lean() -> None:
    """From now on, this process imports encoders without what only other models need.

    Never called where a user's own code runs: other parts of `transformers` would miss what they import.
    """
    global _lean
    _lean = True


def leave_out_unneeded() -> None:
    """Before an encoder is imported: let `transformers` take those libraries as absent, if the process is lean."""
    if not _lean:
        return
    from transformers import utils
    from transformers.utils import import_utils

    for module in (utils, import_utils):
        for question in UNNEEDED:
            if hasattr(module, question):
                setattr(module, question, _no)


def _no(*_: object) -> bool:
    return False
