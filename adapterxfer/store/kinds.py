"""Names of the kinds of stages that several rooms ask for."""

from __future__ import annotations

MERGED = "merge"
"""Joins the weights of trained models; trains nothing."""

TRAINING = ("train_intermediate", "train_target", "train_fusion")
"""Train a model."""
