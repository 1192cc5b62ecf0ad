"""Small models of every family of encoders that transformers has, with random weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import transformers
from transformers.models.auto import modeling_auto

HEADS = {
    "base": "AutoModel",
    "masked LM": "AutoModelForMaskedLM",
    "sequence": "AutoModelForSequenceClassification",
    "token": "AutoModelForTokenClassification",
    "question": "AutoModelForQuestionAnswering",
    "choice": "AutoModelForMultipleChoice",
    "cross-encoder": "AutoModelForSequenceClassification",
}
"""Which class of transformers makes a model with a head; a cross-encoder has one label."""
_NAMES = {
    "base": modeling_auto.MODEL_MAPPING_NAMES,
    "masked LM": modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    "sequence": modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
    "token": modeling_auto.MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES,
    "question": modeling_auto.MODEL_FOR_QUESTION_ANSWERING_MAPPING_NAMES,
    "choice": modeling_auto.MODEL_FOR_MULTIPLE_CHOICE_MAPPING_NAMES,
    "cross-encoder": modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES,
}
_LABELS = {"sequence": 3, "token": 5, "cross-encoder": 1}

VOCABULARY = 100
SIZES: dict[str, Any] = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 64,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 64,
}
_TOKENS: dict[str, Any] = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
_NARROW: dict[str, Any] = {"embedding_size": 16, **SIZES}
_DEBERTA: dict[str, Any] = {
    **SIZES,
    "relative_attention": True,
    "max_relative_positions": 16,
    "pos_att_type": ["p2c", "c2p"],
}
_T5: dict[str, Any] = {
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 64,
    "num_layers": 2,
    "num_heads": 4,
    "vocab_size": VOCABULARY,
}
_XLM: dict[str, Any] = {"emb_dim": 32, "n_layers": 2, "n_heads": 4, "n_words": VOCABULARY}


@dataclass(frozen=True)
class Family:
    """Models of one type; `config` is the class of its configuration in transformers."""

    title: str
    config: str
    settings: Mapping[str, Any] = field(default_factory=lambda: SIZES)
    auto: str = ""
    """The class that makes the model without a head, if it is not AutoModel."""
    attention: tuple[str, ...] = ("eager",)
    """The implementations of attention that transformers has for it."""
    refused: str = ""
    """What the error says, if nothing of it compiles."""
    fixed_only: tuple[str, ...] = ()
    """The implementations of attention with which it is compiled for fixed shapes only."""

    def make_config(self, **more: Any) -> Any:
        """The configuration, with other settings besides."""
        return getattr(transformers, self.config)(**{**self.settings, **more})


_BOTH = ("eager", "sdpa")

FAMILIES = {
    "bert": Family("BERT", "BertConfig", attention=_BOTH),
    "distilbert": Family(
        "DistilBERT",
        "DistilBertConfig",
        {
            "dim": 32,
            "n_layers": 2,
            "n_heads": 4,
            "hidden_dim": 64,
            "vocab_size": VOCABULARY,
            "max_position_embeddings": 64,
        },
        attention=_BOTH,
    ),
    "mobilebert": Family(
        "MobileBERT",
        "MobileBertConfig",
        {**SIZES, "embedding_size": 32, "intra_bottleneck_size": 32, "true_hidden_size": 32},
        attention=_BOTH,
        fixed_only=("eager",),
    ),
    "roberta": Family("RoBERTa", "RobertaConfig", attention=_BOTH),
    "roberta-prelayernorm": Family(
        "RoBERTa-PreLayerNorm", "RobertaPreLayerNormConfig", attention=_BOTH
    ),
    "xlm-roberta": Family("XLM-RoBERTa", "XLMRobertaConfig", attention=_BOTH),
    "xlm-roberta-xl": Family("XLM-RoBERTa-XL", "XLMRobertaXLConfig", attention=_BOTH),
    "camembert": Family("CamemBERT", "CamembertConfig", attention=_BOTH),
    "data2vec-text": Family(
        "Data2Vec", "Data2VecTextConfig", {**SIZES, **_TOKENS}, attention=_BOTH
    ),
    "xlnet": Family(
        "XLNet",
        "XLNetConfig",
        {"d_model": 32, "n_layer": 2, "n_head": 4, "d_inner": 64, "vocab_size": VOCABULARY},
        fixed_only=("eager",),
    ),
    "albert": Family("ALBERT", "AlbertConfig", _NARROW, attention=_BOTH),
    "electra": Family("ELECTRA", "ElectraConfig", _NARROW, attention=_BOTH),
    "mpnet": Family("MPNet", "MPNetConfig"),
    "deberta": Family("DeBERTa", "DebertaConfig", _DEBERTA, fixed_only=("eager",)),
    "deberta-v2": Family(
        "DeBERTa v2, v3",
        "DebertaV2Config",
        {
            **_DEBERTA,
            "position_buckets": 16,
            "norm_rel_ebd": "layer_norm",
            "share_att_key": True,
        },
    ),
    "squeezebert": Family("SqueezeBERT", "SqueezeBertConfig", {**SIZES, "embedding_size": 32}),
    "ernie": Family("ERNIE", "ErnieConfig", attention=_BOTH),
    "modernbert": Family(
        "ModernBERT",
        "ModernBertConfig",
        {**SIZES, **_TOKENS, "num_hidden_layers": 3, "local_attention": 8},
        attention=_BOTH,
    ),
    "nomic_bert": Family("NomicBERT", "NomicBertConfig", {**SIZES, "head_dim": 8}, attention=_BOTH),
    "jina_embeddings_v3": Family("Jina v3", "JinaEmbeddingsV3Config", attention=_BOTH),
    "gte": Family("GTE", "GteConfig", attention=_BOTH),
    "eurobert": Family("EuroBERT", "EuroBertConfig", {**SIZES, **_TOKENS}, attention=_BOTH),
    "roformer": Family("RoFormer", "RoFormerConfig", {**_NARROW, "embedding_size": 32}),
    "rembert": Family("RemBERT", "RemBertConfig", {**SIZES, "input_embedding_size": 16}),
    "megatron-bert": Family("Megatron-BERT", "MegatronBertConfig"),
    "convbert": Family(
        "ConvBERT", "ConvBertConfig", {**_NARROW, "embedding_size": 32}, fixed_only=("eager",)
    ),
    "esm": Family(
        "ESM",
        "EsmConfig",
        {**SIZES, "pad_token_id": 0, "mask_token_id": 3, "position_embedding_type": "rotary"},
        attention=_BOTH,
    ),
    "ibert": Family("I-BERT", "IBertConfig"),
    "layoutlm": Family("LayoutLM", "LayoutLMConfig", attention=_BOTH),
    "fnet": Family("FNet", "FNetConfig", refused="aten._fft_c2c"),
    "flaubert": Family("FlauBERT", "FlaubertConfig", _XLM, refused="aten.item"),
    "xlm": Family("XLM", "XLMConfig", _XLM, refused="aten.item"),
    "luke": Family("LUKE", "LukeConfig", {**SIZES, "entity_vocab_size": 20, "entity_emb_size": 16}),
    "xmod": Family(
        "X-MOD",
        "XmodConfig",
        {**SIZES, "default_language": "en_XX"},
        attention=_BOTH,
        refused="aten.index.Tensor",
    ),
    "roc_bert": Family(
        "RoCBert",
        "RoCBertConfig",
        {**SIZES, "pronunciation_vocab_size": 20, "shape_vocab_size": 20},
        attention=_BOTH,
    ),
    "t5": Family("T5 encoder", "T5Config", _T5, "AutoModelForTextEncoding", attention=_BOTH),
    "mt5": Family("mT5 encoder", "MT5Config", _T5, "AutoModelForTextEncoding", attention=_BOTH),
    "umt5": Family("UMT5 encoder", "UMT5Config", _T5, "AutoModelForTextEncoding", attention=_BOTH),
    "clip_text_model": Family("CLIP text", "CLIPTextConfig", {**SIZES, **_TOKENS}, attention=_BOTH),
    "longformer": Family(
        "Longformer",
        "LongformerConfig",
        {**SIZES, "attention_window": 8},
        refused="data-dependent",
    ),
    "big_bird": Family("BigBird", "BigBirdConfig"),
    "nystromformer": Family(
        "Nystromformer",
        "NystromformerConfig",
        {**SIZES, "num_landmarks": 8, "segment_means_seq_len": 8},
    ),
    "mra": Family("MRA", "MraConfig"),
}


def heads_of(name: str) -> tuple[str, ...]:
    """The heads that transformers has for a family."""
    family = FAMILIES[name]
    if family.auto:
        return ("base",)
    return tuple(head for head in HEADS if name in _NAMES[head])


def make_model(name: str, head: str = "base", attention: str = "eager") -> Any:
    """A model with the same random weights every time, in evaluation mode."""
    torch.manual_seed(0)
    family = FAMILIES[name]
    auto = (family.auto if head == "base" else "") or HEADS[head]
    more = {"num_labels": _LABELS[head]} if head in _LABELS else {}
    config = family.make_config(**more)
    made = getattr(transformers, auto).from_config(config, attn_implementation=attention)
    return made.eval()
