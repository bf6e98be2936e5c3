"""Transfer variants: which modules exist around a backbone, which of them train, and proof that it is so."""
