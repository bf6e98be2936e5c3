"""The content-addressed store of stage results: keys, atomic commits, locks, failure records. Imports no torch."""
