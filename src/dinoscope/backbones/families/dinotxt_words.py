"""dino.txt's text encoder and tokenizer, from Meta's own files."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from dinoscope.backbones.checkpoints.checkpoint import read_weights
from dinoscope.backbones.families.dinotxt_files import (
    HEAD_FILE,
    VOCABULARY,
    VOCABULARY_PAGE,
    depth_of,
    file_at,
    misfit,
    parted,
    spelled_as,
    under,
)
from dinoscope.errors import WeightsError

CHANNELS_OF_A_HEAD = 64
"""As many as in CLIP's; the tensors do not tell."""

_OF_TEXT = (
    ("attention_norm.", "layer_norm1."),
    ("ffn_norm.", "layer_norm2."),
    ("attention.proj.", "self_attn.out_proj."),
    ("feed_forward.", "mlp."),
)
_ONCE = {
    "backbone.token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "backbone.positional_embedding": "text_model.embeddings.position_embedding.weight",
    "backbone.ln_final.weight": "text_model.final_layer_norm.weight",
    "backbone.ln_final.bias": "text_model.final_layer_norm.bias",
    "head.linear_projection.weight": "text_projection.weight",
}
"""What Meta's file and transformers call the same tensors: a causal encoder read off at its last token.
Source: facebookresearch/dinov3@6876159, dinov3/eval/text/text_tower.py, text_transformer.py and
dinov3/hub/dinotxt.py.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """dino.txt's text encoder, asked as those of transformers are.

    Attributes:
        encoder: the network.
    """

    encoder: Any

    def get_text_features(self, **fed: Tensor) -> Float[Tensor, "t dim"]:
        """The second half of each text's vector, which was trained against the mean patch token; the first
        was trained against the class token.
        """
        whole = self.encoder(**fed).text_embeds
        return torch.as_tensor(whole[:, whole.shape[1] // 2 :])


def load_words(rest: str) -> tuple[Words, Any, int]:
    """The text encoder, its tokenizer, and how many tokens it reads.

    Raises:
        WeightsError: a file is not there, or does not fit; with what to do.
    """
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    loaded = read_weights(file_at(rest, HEAD_FILE))
    state = under(loaded.tensors, "text_model.")
    spelled: dict[str, Tensor] = {}
    for name, value in state.items():
        if name in _ONCE:
            spelled[_ONCE[name]] = value
            continue
        own = spelled_as(name, _OF_TEXT).replace("backbone.blocks.", "text_model.encoder.layers.")
        spelled |= parted(own, value, "attention", "self_attn")
        if name.endswith("attention.qkv.weight"):  # without biases, which CLIP's has
            stem, zeros = own.removesuffix("attention.qkv.weight"), value.new_zeros(len(value) // 3)
            spelled |= {f"{stem}self_attn.{part}_proj.bias": zeros for part in "qkv"}
    try:
        n_words, dim = state["backbone.token_embedding.weight"].shape
        longest = len(state["backbone.positional_embedding"])
        config = CLIPTextConfig(
            vocab_size=n_words,
            hidden_size=dim,
            intermediate_size=len(state["backbone.blocks.0.feed_forward.fc1.bias"]),
            projection_dim=len(state["head.linear_projection.weight"]),
            num_hidden_layers=depth_of(under(state, "backbone.")),
            num_attention_heads=max(1, dim // CHANNELS_OF_A_HEAD),
            max_position_embeddings=longest,
            hidden_act="gelu",
            layer_norm_eps=1e-5,
            bos_token_id=n_words - 2,
            eos_token_id=n_words - 1,
        )
        encoder = CLIPTextModelWithProjection(config)
        encoder.load_state_dict(spelled)
    except (KeyError, RuntimeError) as error:
        raise misfit(loaded.source, error) from error
    return (
        Words(encoder.float().eval().requires_grad_(False)),
        _tokenizer(file_at(rest, VOCABULARY), n_words),
        longest,
    )


def _tokenizer(path: Path, n_words: int) -> Any:
    """CLIP's byte pairs: 256 bytes, each also as the end of a word, then as many merges as there is room for.

    Source: Radford et al., Learning transferable visual models from natural language supervision (2021), 2.4.
    """
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import CLIPTokenizer

    try:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            lines = file.read().splitlines()[1:]
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise WeightsError(str(path), f"it cannot be read ({error})", (f"take {VOCABULARY_PAGE}",)) from error
    letters = sorted(ByteLevel.alphabet())
    merges: list[Any] = [tuple(line.split()) for line in lines[: n_words - 2 * len(letters) - 2]]
    words = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges)]
    words += ["<|startoftext|>", "<|endoftext|>"]
    if len(words) != n_words or any(len(pair) != 2 for pair in merges):
        reason = f"it makes {len(words):,} words, and the text encoder has {n_words:,}"
        raise WeightsError(str(path), reason, (f"take {VOCABULARY_PAGE}",))
    return CLIPTokenizer(vocab={word: k for k, word in enumerate(words)}, merges=merges)
