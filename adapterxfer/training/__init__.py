"""One training loop for every variant and format, exact in its seeds and without waste per step."""
