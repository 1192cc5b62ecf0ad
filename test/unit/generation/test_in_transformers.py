"""Pipelines and `generate` of transformers over compiled decoders write what they did before."""

from __future__ import annotations

import copy
from collections.abc import Generator
from pathlib import Path
from typing import Any

import peft
import pytest
import torch
import transformers
from transformers import DynamicCache, pipeline
from transformers.generation.streamers import BaseStreamer
from transformers.utils import logging
from unit.generation.small_decoders import small_decoder
from unit.generation.tokenizers_of_kinds import byte_level

import canao
from canao.errors import CanaoError, InputFileError, ShapeMismatchError, UnsupportedModelError

_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
_PROMPTS = ["The quick", "Emoji: \U0001f600 and", "a"]


@pytest.fixture(autouse=True, scope="module")
def _quiet() -> Generator[None]:
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    yield
    logging.set_verbosity(before)


@pytest.fixture(scope="module", params=["grouped", "gpt2"])
def pipelines(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """A pipeline, and the same one compiled."""
    tokenizer = byte_level(chat_template=_TEMPLATE)
    model = small_decoder(request.param, vocabulary=len(tokenizer))
    plain = pipeline("text-generation", model=model, tokenizer=tokenizer)
    return plain, canao.compile(plain, tune="off", threads=1)


@pytest.fixture(scope="module")
def models(pipelines: tuple[Any, Any]) -> tuple[Any, Any]:
    plain, compiled = pipelines
    return plain.model, compiled.model


def test_what_comes_back(pipelines: tuple[Any, Any]) -> None:
    plain, compiled = pipelines
    assert type(compiled) is type(plain)
    assert type(compiled.model) is type(plain.model)
    assert "forward" not in vars(plain.model)
    before = compiled.model.forward.decoder.model
    compiled("The", max_new_tokens=2)
    assert compiled.model.forward.decoder.model is before


_GREEDY: dict[str, Any] = {"do_sample": False, "max_new_tokens": 12}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"return_full_text": False},
        {"return_tensors": True},
        {"repetition_penalty": 1.4, "no_repeat_ngram_size": 2},
        {"do_sample": True, "temperature": 0.7, "top_k": 7},
        {"do_sample": True, "top_p": 0.8, "num_return_sequences": 3},
        {"num_beams": 3, "num_return_sequences": 2},
        {"num_beams": 2, "do_sample": True},
        {"prompt_lookup_num_tokens": 3},
        {"use_cache": False},
        {"prefill_chunk_size": 2},
    ],
    ids=str,
)
def test_one_prompt(pipelines: tuple[Any, Any], options: dict[str, Any]) -> None:
    found = []
    for each in pipelines:
        torch.manual_seed(3)
        found.append(each("The quick brown", **(_GREEDY | options)))
    assert found[0] == found[1]


@pytest.mark.parametrize("batch", [1, 2, 3])
@pytest.mark.parametrize("more", [{}, {"num_beams": 2}, {"do_sample": True}], ids=str)
def test_several_prompts(pipelines: tuple[Any, Any], batch: int, more: dict[str, Any]) -> None:
    """Rows of a batch are padded on the left."""
    found = []
    for each in pipelines:
        torch.manual_seed(5)
        found.append(each(_PROMPTS, batch_size=batch, **(_GREEDY | more)))
    assert found[0] == found[1]


def test_chats(pipelines: tuple[Any, Any]) -> None:
    chat = [{"role": "user", "content": "Why?"}]
    chats = [chat, [*chat, {"role": "assistant", "content": "Because"}]]
    plain, compiled = pipelines
    assert compiled(chat, **_GREEDY) == plain(chat, **_GREEDY)
    assert compiled(chats, **_GREEDY) == plain(chats, **_GREEDY)


def test_where_texts_end(pipelines: tuple[Any, Any]) -> None:
    plain, compiled = pipelines
    ids = plain("The", return_tensors=True, **_GREEDY)[0]["generated_token_ids"]
    texts = plain("The", return_full_text=False, **_GREEDY)[0]["generated_text"]
    for options in (
        {"eos_token_id": ids[-4]},
        {"eos_token_id": [ids[-3], ids[-6]]},
        {"stop_sequence": texts[2:4]},
        {"max_time": 1e9},
    ):
        wanted = plain("The", **_GREEDY, **options)
        assert compiled("The", **_GREEDY, **options) == wanted


def test_streamers(models: tuple[Any, Any]) -> None:
    class Tokens(BaseStreamer):
        def __init__(self) -> None:
            self.tokens: list[list[int]] = []

        def put(self, value: torch.Tensor) -> None:
            self.tokens.append(value.flatten().tolist())

        def end(self) -> None:
            self.tokens.append([])

    found = [Tokens(), Tokens()]
    for model, streamer in zip(models, found, strict=True):
        model.generate(torch.tensor([[5, 6, 7]]), streamer=streamer, **_GREEDY)
    assert found[0].tokens == found[1].tokens
    assert len(found[1].tokens) == 14


@pytest.mark.parametrize("assistant", [0, 1])
def test_assisted_decoding(models: tuple[Any, Any], assistant: int) -> None:
    """By a compiled model, and by one that is not."""
    plain, compiled = models
    ids = torch.tensor([[1, 2, 3, 4]])
    wanted = plain.generate(ids, **_GREEDY)
    found = compiled.generate(ids, assistant_model=models[assistant], **_GREEDY)
    assert torch.equal(found, wanted)


def test_logits_and_scores(models: tuple[Any, Any]) -> None:
    ids = torch.tensor([[9, 9, 5, 6], [1, 2, 3, 4]])
    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
    asked = {"attention_mask": mask, "output_logits": True, "return_dict_in_generate": True}
    wanted, found = (m.generate(ids, pad_token_id=0, **asked, **_GREEDY) for m in models)
    assert torch.equal(found.sequences, wanted.sequences)
    for one, other in zip(found.logits, wanted.logits, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
    assert found.past_key_values.get_seq_length() == 15


def test_logits_of_all_tokens(models: tuple[Any, Any]) -> None:
    ids = torch.randint(0, 300, (2, 9), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        wanted, found = (model(ids).logits for model in models)
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)
        last = models[1](ids, logits_to_keep=3, return_dict=False)[0]
    torch.testing.assert_close(last, wanted[:, -3:], rtol=1e-4, atol=1e-5)


def test_a_cache_is_filled_in_place(models: tuple[Any, Any]) -> None:
    """As users of `DynamicCache` know it: steps by hand, going back, copies of what is shared."""
    start, rest = torch.tensor([[1, 2, 3]]), torch.tensor([[4, 5]])
    found = []
    for model in models:
        cache = DynamicCache(config=model.config)
        with torch.no_grad():
            model(start, past_key_values=cache)
            apart = copy.deepcopy(cache)
            once = model(rest, past_key_values=cache).logits
            assert (cache.get_seq_length(), apart.get_seq_length()) == (5, 3)
            cache.crop(-1)
            again = model(rest[:, 1:], past_key_values=cache).logits
            other = model(rest * 7, past_key_values=apart).logits
            cache.batch_repeat_interleave(2)
            cache.batch_select_indices(torch.tensor([1]))
            more = model(rest, past_key_values=cache).logits
            whole = model.generate(
                torch.tensor([[1, 2, 3, 4, 5, 4, 5, 8]]), past_key_values=cache, **_GREEDY
            )
        found.append([once, again, other, more, whole])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


_IDS = torch.tensor([[1, 2, 3]])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"inputs_embeds": torch.zeros(1, 3, 48)}, "does not take inputs_embeds"),
        ({"output_hidden_states": True}, "does not take output_hidden_states"),
        ({"labels": _IDS}, "does not take labels"),
        ({"input_ids": torch.zeros(3)}, r"input_ids has shape \(batch, tokens\)"),
        ({"input_ids": None}, "got NoneType"),
        ({"attention_mask": torch.tensor([[1, 1, 0]])}, "pad on the left"),
        ({"attention_mask": torch.tensor([[0, 1, 1]])}, "give position_ids"),
        ({"attention_mask": torch.ones(1, 5)[:, :4].long()}, r"\(1, 3\) is wanted"),
        ({"attention_mask": torch.ones(1, 1, 3, 3).long()}, "attention_mask has shape"),
        ({"position_ids": torch.tensor([[1, 2]])}, "position_ids has shape"),
        ({"logits_to_keep": torch.tensor([1])}, "logits_to_keep"),
        ({"input_ids": torch.ones(1, 401, dtype=torch.int64)}, "400 of a stream"),
    ],
)
def test_calls_that_are_refused(
    models: tuple[Any, Any], given: dict[str, Any], message: str
) -> None:
    with pytest.raises(CanaoError, match=message):
        models[1](**({"input_ids": _IDS} | given))


def test_caches_that_are_refused(models: tuple[Any, Any]) -> None:
    plain, compiled = models
    with pytest.raises(UnsupportedModelError, match="StaticCache of this kind"):
        compiled.generate(_IDS, cache_implementation="static", **_GREEDY)
    cache = plain(_IDS).past_key_values
    with pytest.raises(UnsupportedModelError, match="filled by another model"):
        compiled(_IDS, past_key_values=cache)
    cache = compiled(_IDS).past_key_values
    with pytest.raises(UnsupportedModelError, match="filled by a compiled model"):
        plain(_IDS, past_key_values=cache)
    with pytest.raises(ShapeMismatchError, match="a batch of 2"):
        compiled(_IDS.repeat(2, 1), past_key_values=cache)
    mask = torch.tensor([[0, 1, 1, 1, 1, 1]])
    with pytest.raises(ShapeMismatchError, match="leaves out other tokens"):
        compiled(_IDS, past_key_values=cache, attention_mask=mask)
    cache.reset()
    assert compiled(_IDS.repeat(2, 1), past_key_values=cache).logits.shape[0] == 2


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of transformers with its tokenizer."""
    path = tmp_path_factory.mktemp("model")
    tokenizer = byte_level(chat_template=_TEMPLATE)
    model = small_decoder("llama", vocabulary=len(tokenizer))
    model.generation_config.update(repetition_penalty=1.3, do_sample=False, pad_token_id=0)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def read(folder: Path) -> canao.CanaoModelForCausalLM:
    return canao.CanaoModelForCausalLM.from_pretrained(
        folder, tune="off", threads=1, shapes=canao.AutoShapes(sequence=100)
    )


def _no_compiling(*_: object) -> None:
    raise AssertionError("something was compiled")


def test_read_saved_and_read_again(
    folder: Path,
    read: canao.CanaoModelForCausalLM,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder)
    original: Any = transformers.AutoModelForCausalLM.from_pretrained(folder)
    inputs = tokenizer(_PROMPTS, return_tensors="pt", padding=True, padding_side="left")
    inputs.pop("token_type_ids", None)
    wanted = original.generate(**inputs, max_new_tokens=9)
    assert torch.equal(read.generate(**inputs, max_new_tokens=9), wanted)
    monkeypatch.setattr("canao.api.compile_model", _no_compiling)
    read.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again: Any = canao.CanaoModelForCausalLM.from_pretrained(tmp_path)
    assert torch.equal(again.generate(**inputs, max_new_tokens=9), wanted)
    assert again.decoder.longest == 100
    plain = pipeline("text-generation", model=original, tokenizer=tokenizer)
    found = pipeline("text-generation", model=again, tokenizer=tokenizer)
    assert found(_PROMPTS, max_new_tokens=9) == plain(_PROMPTS, max_new_tokens=9)
    assert "not supported" not in caplog.text
    assert not list(tmp_path.glob("*.safetensors"))
    with pytest.raises(UnsupportedModelError, match="100 of a stream"):
        again.generate(**inputs, max_new_tokens=120)


def test_generators_are_saved(
    folder: Path,
    read: canao.CanaoModelForCausalLM,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    generator = canao.CompiledGenerator(read, transformers.AutoTokenizer.from_pretrained(folder))
    wanted = generator.generate("The quick", max_new_tokens=9)
    monkeypatch.setattr("canao.api.compile_model", _no_compiling)
    assert generator.save(tmp_path / "saved") == tmp_path / "saved"
    for again in (
        canao.CompiledGenerator.load(tmp_path / "saved", threads=1),
        canao.CompiledGenerator(tmp_path / "saved"),
    ):
        assert again.generate("The quick", max_new_tokens=9) == wanted
        assert again.generate([3, 4], max_new_tokens=3) == generator.generate(
            [3, 4], max_new_tokens=3
        )
    with pytest.raises(InputFileError, match="no compiled generator"):
        canao.CompiledGenerator.load(folder)


def test_other_saved_models_are_refused(tmp_path: Path, read: canao.CanaoModelForCausalLM) -> None:
    read.save_pretrained(tmp_path)
    with pytest.raises(InputFileError, match="save the model again"):
        canao.CanaoModel.from_pretrained(tmp_path)
    (tmp_path / "canao" / "decoder").rename(tmp_path / "canao" / "0")
    with pytest.raises(InputFileError, match="writes no text"):
        canao.CanaoModelForCausalLM.from_pretrained(tmp_path)


def test_models_with_adapters_generate_in_generators_only() -> None:
    """A pipeline's `generate` would run the model inside, which is not compiled."""
    tokenizer = byte_level()
    config = peft.LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj", "v_proj"])
    model: Any = peft.get_peft_model(
        small_decoder("grouped", vocabulary=len(tokenizer)), config
    ).eval()
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(generator=torch.Generator().manual_seed(1))
    plain = pipeline("text-generation", model=model, tokenizer=tokenizer)
    with pytest.raises(UnsupportedModelError, match="CompiledGenerator"):
        canao.compile(plain, tune="off", threads=1)
    generator = canao.CompiledGenerator(model, tokenizer, max_length=40, tune="off", threads=1)
    prompt = [5, 9, 11]
    wanted = model.generate(input_ids=torch.tensor([prompt]), max_new_tokens=12, do_sample=False)
    assert generator.generate(prompt, max_new_tokens=12) == wanted[0, len(prompt) :].tolist()
