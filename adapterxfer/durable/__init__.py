"""What survives a kill: files that are flushed before they count, and the state of a long computation."""
