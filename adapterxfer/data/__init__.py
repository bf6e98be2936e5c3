"""Example records, readers of original files, stored tasks, and plain text as a pretraining corpus."""
