"""Methods that change linear maps inside frozen layers: the LoRA family, VeRA and IA3."""

from __future__ import annotations

from adapterxfer.catalog.methods.setting import low_rank_settings
from adapterxfer.catalog.methods.spec import MethodSpec, PeftFiles

_QUERY_VALUE = ("query", "value", "qkv")
"""Roles that the methods of the LoRA family change by default in peft; ``qkv`` where one map makes all three."""

_NO_BOTTLENECK = "AdapterFusion mixes bottlenecks after the feed-forward block; this method has none"
_RANK = ("rank",)
_FACTORS = {"first": "lora_A.weight", "second": "lora_B.weight"}

ALPHA = 8
"""Numerator of the scale of updates; the default of peft."""

SPECS = (
    MethodSpec(
        name="lora",
        description="low-rank updates of attention weights",
        library="peft",
        builder="adapterxfer.variants.lowrank:LowRank",
        sizes=_RANK,
        examples=({"rank": 8},),
        places=("linear",),
        maps=_QUERY_VALUE,
        start="neutral",
        merges="updates",
        scale_power=1.0,
        alpha=ALPHA,
        why_unfused=_NO_BOTTLENECK,
        citation="Hu et al. 2022, *LoRA: Low-Rank Adaptation of Large Language Models*",
        settings=low_rank_settings(_QUERY_VALUE, alpha=ALPHA, dropout=True),
        peft=PeftFiles(
            config={"peft_type": "LORA", "lora_alpha": ALPHA, "use_rslora": False, "use_dora": False},
            tensors=_FACTORS,
            alpha=ALPHA,
        ),
    ),
    MethodSpec(
        name="rslora",
        description="LoRA with rank-stabilised scale",
        library="peft",
        builder="adapterxfer.variants.lowrank:LowRank",
        sizes=_RANK,
        examples=({"rank": 8},),
        places=("linear",),
        maps=_QUERY_VALUE,
        start="neutral",
        merges="updates",
        scale_power=0.5,
        alpha=ALPHA,
        why_unfused=_NO_BOTTLENECK,
        citation="Kalajdzievski 2023, *A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA*",
        settings=low_rank_settings(_QUERY_VALUE, alpha=ALPHA, dropout=True),
        peft=PeftFiles(
            config={"peft_type": "LORA", "lora_alpha": ALPHA, "use_rslora": True, "use_dora": False},
            tensors=_FACTORS,
            alpha=ALPHA,
        ),
    ),
    MethodSpec(
        name="dora",
        description="LoRA with separate magnitude",
        library="peft",
        builder="adapterxfer.variants.lowrank:Dora",
        sizes=_RANK,
        examples=({"rank": 8},),
        places=("linear",),
        maps=_QUERY_VALUE,
        reads_maps=True,
        start="neutral",
        neutral="rounding",  # it divides lengths that are equal
        merges="",
        why_unmerged="it divides by row lengths of changed matrices, so averaged weights are not an averaged change",
        merge_instead="lora",
        alpha=ALPHA,
        why_unfused=_NO_BOTTLENECK,
        citation="Liu et al. 2024, *DoRA: Weight-Decomposed Low-Rank Adaptation*",
        settings=low_rank_settings(_QUERY_VALUE, alpha=ALPHA, dropout=False),
        peft=PeftFiles(
            config={"peft_type": "LORA", "lora_alpha": ALPHA, "use_rslora": False, "use_dora": True},
            tensors={**_FACTORS, "magnitude": "lora_magnitude_vector"},
            alpha=ALPHA,
        ),
    ),
    MethodSpec(
        name="ia3",
        known_as=("(ia)3",),
        description="trained rescaling of activations",
        library="peft",
        builder="adapterxfer.variants.lowrank:Rescale",
        sizes=(),
        examples=({},),
        places=("linear",),
        maps=("key", "value", "qkv", "ffn_out"),
        start="neutral",
        merges="weights",
        why_unfused=_NO_BOTTLENECK,
        citation="Liu et al. 2022, *Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context "
        "Learning*",
        peft=PeftFiles(config={"peft_type": "IA3"}, tensors={"factor": "ia3_l"}, has_rank=False, factors=True),
    ),
    MethodSpec(
        name="vera",
        description="shared random projections with trained scales",
        library="peft",
        builder="adapterxfer.variants.lowrank:Vera",
        sizes=_RANK,
        examples=({"rank": 256},),
        places=("linear",),
        maps=_QUERY_VALUE,
        start="neutral",
        merges="",
        why_unmerged="it multiplies two trained vectors, so averaged weights are not an averaged change",
        merge_instead="lora",
        why_unfused=_NO_BOTTLENECK,
        citation="Kopiczko et al. 2024, *VeRA: Vector-based Random Matrix Adaptation*",
        peft=PeftFiles(
            config={"peft_type": "VERA", "save_projection": True, "projection_prng_key": 0, "vera_dropout": 0.0},
            tensors={"inner": "vera_lambda_d", "outer": "vera_lambda_b"},
            projections={"base_model.vera_A": "inner", "base_model.vera_B": "outer"},
        ),
    ),
)
"""In the order of listings."""
