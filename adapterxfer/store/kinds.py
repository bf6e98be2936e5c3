"""Names of the kinds of stages that several rooms ask for."""

from __future__ import annotations

MERGED = "merge"
"""Joins the weights of trained models; trains nothing."""

TRAINING = ("train_intermediate", "train_target", "train_fusion")
"""Train a model."""

CANDIDATE = "train_candidate"
"""Trains a model with one value of a grid and keeps nothing but its score on English development data."""

CHOICE = "choose"
"""Reads the scores of candidates and names the values that the trainings after it use."""
