"""Text generation by compiled decoders: tokens in, tokens out, keys and values kept between."""
