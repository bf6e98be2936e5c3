"""The tasks, one file per family; a file's ``TASKS`` are in the catalogue by being there."""
