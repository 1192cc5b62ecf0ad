"""Extractive question answering around a model: everything but the model itself.

Takes texts, files in the SQuAD format, a fast tokenizer and arrays of logits; gives windows of
tokens, answers as places in the text, and scores. It knows neither PyTorch nor how logits come
about, so training, evaluation and the applications share it.
"""
