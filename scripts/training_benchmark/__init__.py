"""Training and prediction side by side with `transformers.Trainer` and `adapters.AdapterTrainer`."""
