"""Pinned multilingual encoders: load them, count their parameters, fingerprint their weights."""
