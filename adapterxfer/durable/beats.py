"""Signs of life of long work: lines that are shown while it goes on and kept nowhere, as they depend on the clock."""

from __future__ import annotations

BEAT = "beat"
"""Key of such a line; the others are those of any line of progress: ``step``, ``steps``, ``loss``."""

BEAT_S = 10.0
"""Seconds between two of them. A display that shows a line every 30 seconds then never shows an old one."""
