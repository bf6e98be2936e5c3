"""Pretraining of a controlled series of small XLM-R backbones, where size is the only variable."""
