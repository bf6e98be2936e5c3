"""Zero-shot predictions of trained systems, untouched backbones and controls, one Parquet file per stage."""
