"""The five task formats: each decides head, loss, decoding and score together."""
