"""Which intermediate task to train: predictions from features, texts and short runs, judged by the trained matrix."""
