"""Compiled decoders: tokens in, logits out, keys and values of earlier tokens kept between."""
