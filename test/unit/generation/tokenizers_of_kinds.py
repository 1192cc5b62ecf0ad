"""Small tokenizers of the kinds that models of text have, made without files."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

_TEXT = [
    "The quick brown fox jumps over the lazy dog, and the dog does not mind.",
    "Emoji: \U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467, caf\u00e9, \u4f60\u597d!",
    "  two spaces,\n\nlines and\ttabs",
]
_END, _UNKNOWN = "</s>", "<unk>"


def byte_level(size: int = 320, **more: Any) -> Any:
    """Merged bytes, as GPT-2 and Llama 3 have: any bytes can follow any others."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[_END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(_TEXT, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token=_END, pad_token=_END, **more)


def with_spaces_first() -> Any:
    """Pieces that begin with their space, and a token for each byte, as Llama 2 has."""
    named = [_UNKNOWN, _END, *(f"<0x{byte:02X}>" for byte in range(256))]
    letters = ["\u2581", *"abcdefghijklmnopqrstuvwxyz,.!"]
    merged = ["\u2581a", "\u2581t", "th", "\u2581th"]
    vocabulary = {name: number for number, name in enumerate([*named, *letters, *merged])}
    merges = [("\u2581", "a"), ("\u2581", "t"), ("t", "h"), ("\u2581t", "h")]
    made = Tokenizer(
        models.BPE(vocab=vocabulary, merges=merges, unk_token=_UNKNOWN, byte_fallback=True)
    )
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    made.decoder = decoders.Sequence(
        [
            decoders.Replace("\u2581", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token=_END, unk_token=_UNKNOWN)
