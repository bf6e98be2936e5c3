"""Bundles: a trained variant as one folder with everything needed to use it, checked on every load; push and pull."""
