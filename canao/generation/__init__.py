"""Text from a prompt by compiled decoders: which token comes next, pieces of text, when to stop."""
