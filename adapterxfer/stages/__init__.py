"""Executors of the stage kinds; ``registry`` names them without importing them."""
