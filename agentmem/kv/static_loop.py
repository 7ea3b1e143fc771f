"""`static_decode`: the decoding loop of `generate` for an attached model, every step of one fixed shape.

Given to `model.generate(..., custom_generate=static_decode)`, which prepares everything as ever.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList
from transformers.generation.utils import GenerateDecoderOnlyOutput

from agentmem.errors import InvalidInputError
from agentmem.kv.attachment import attachments
from agentmem.kv.layer import KVCache
from agentmem.kv.static_run import StaticRun


@torch.no_grad()
def static_decode(
    model: Any,
    input_ids: Any,
    logits_processor: LogitsProcessorList,
    stopping_criteria: StoppingCriteriaList,
    generation_config: GenerationConfig,
    stream_to: Any = None,
    cuda_graphs: bool = True,
    **model_kwargs: Any,
) -> Any:
    """Greedy or sampled decoding inside `attach`, in tensors that never change shape or place.

    The tokens are those of `generate` without it: up to rounding, for sums may be taken in another order. On a CUDA
    device a step is one CUDA graph. Every 64 tokens a page may leave the window, and that token is decoded as ever.

    Args:
        stream_to: a transformers streamer (transformers does not hand on `streamer=` to a loop that is not its own).
        cuda_graphs: whether to capture graphs on a CUDA device.
        The others are given by `generate`, which also takes `past_key_values`, `inputs_embeds` and
        `prefill_chunk_size` as ever.

    Returns:
        What `generate` returns: token ids `[B, T]`, or `GenerateDecoderOnlyOutput` with `return_dict_in_generate`.

    Raises:
        InvalidInputError: the model is not attached, its policy has no fixed shape (only `Full`, `SinkRecent`,
            `BlockRetrieval` and `HeadSplit` over that have), a padded batch, beams, or no cache.
    """
    attached = attachments.get(model)
    if attached is None:
        raise InvalidInputError(
            "static_decode decodes an attached model: call generate inside attach(model, ...)"
        )
    check(generation_config, model_kwargs)
    logits, cache = prefill(model, input_ids, generation_config.prefill_chunk_size, model_kwargs)
    wants = generation_config.return_dict_in_generate
    scores: list[Tensor] | None = [] if wants and generation_config.output_scores else None
    raw: list[Tensor] | None = [] if wants and generation_config.output_logits else None
    going = torch.ones(len(input_ids), dtype=torch.long, device=input_ids.device)
    if stream_to is not None:
        stream_to.put(input_ids.cpu())
    ahead = (stopping_criteria.max_length or 0) - input_ids.shape[1]
    with StaticRun(attached, cache, max(1, ahead), graphs=cuda_graphs) as run:
        while True:
            fresh = logits.to(input_ids.device, torch.float32, copy=True)
            score = logits_processor(input_ids, cast("torch.FloatTensor", fresh))
            for kept, one in ((scores, score), (raw, fresh)):
                if kept is not None:
                    kept.append(one)
            token = pick(score, generation_config, going, stopping_criteria)
            input_ids = torch.cat([input_ids, token[:, None]], dim=-1)
            if stream_to is not None:
                stream_to.put(token.cpu())
            going = going & ~stopping_criteria(input_ids, scores)
            if not going.any():
                break
            logits = run.step(token.to(logits.device))
    if stream_to is not None:
        stream_to.end()
    if not wants:
        return input_ids
    return GenerateDecoderOnlyOutput(
        sequences=input_ids,
        scores=cast("Any", scores and tuple(scores)),
        logits=cast("Any", raw and tuple(raw)),
        past_key_values=cache,
    )


def check(config: GenerationConfig, given: dict[str, Any]) -> None:
    """Refuse what no step of fixed shape can give.

    Raises:
        InvalidInputError: padding, beams, several answers' worth of states, or no cache.
    """
    mask = given.get("attention_mask")
    if mask is not None and not bool(mask.all()):
        raise InvalidInputError("static_decode takes no padding: give it sequences of one length")
    if (config.num_beams or 1) > 1:
        raise InvalidInputError(
            "static_decode takes no beams: leave num_beams or custom_generate=static_decode out"
        )
    if config.output_attentions or config.output_hidden_states:
        raise InvalidInputError("static_decode gives out no attentions and no hidden states")
    if given.get("use_cache") is False:
        raise InvalidInputError("static_decode needs the cache: leave use_cache=False out")


def prefill(
    model: Any, input_ids: Tensor, chunk: int | None, given: dict[str, Any]
) -> tuple[Tensor, KVCache]:
    """Read what the cache has not seen, `chunk` tokens a call; the last logits `[B, V]` and the cache."""
    cache, embeds, mask = (
        given.get("past_key_values"),
        given.get("inputs_embeds"),
        given.get("attention_mask"),
    )
    name, prompt = ("input_ids", input_ids) if embeds is None else ("inputs_embeds", embeds)
    seen = 0 if cache is None else int(cache.get_seq_length())
    # as transformers has it: a mask longer than the tokens means that they are the new ones alone
    if mask is None or mask.shape[1] == prompt.shape[1]:
        prompt = prompt[:, seen:]
    if prompt.shape[1] == 0:
        raise InvalidInputError("the cache has seen the whole prompt: give it at least one token more")
    out = None
    for part in prompt.split(chunk or prompt.shape[1], dim=1):
        out = model(**{name: part}, past_key_values=cache, use_cache=True, logits_to_keep=1)
        cache = out.past_key_values
    assert out is not None
    return out.logits[:, -1], out.past_key_values


def pick(score: Tensor, config: GenerationConfig, going: Tensor, stopping: StoppingCriteriaList) -> Tensor:
    """The next tokens `[B]`: the likeliest, or drawn; padding where a sequence has ended."""
    if config.do_sample:
        token = torch.multinomial(score.softmax(dim=-1), num_samples=1).squeeze(1)
    else:
        token = score.argmax(dim=-1)
    if any(hasattr(one, "eos_token_id") for one in stopping):
        token = token * going + (config.pad_token_id or 0) * (1 - going)
    return token
