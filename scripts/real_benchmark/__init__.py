"""Parts of `benchmark_real.py`."""
