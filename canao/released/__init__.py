"""Models that canao is released with: found by its own search, trained by its own commands.

Takes a name; gives the folder of a Hugging Face model whose files are what they were when released.
"""
