"""Methods that act on representations: edits of hidden states, and keys and values before those of the tokens."""

from __future__ import annotations

from adapterxfer.catalog.methods.spec import MethodSpec

_NO_BOTTLENECK = "AdapterFusion mixes bottlenecks after the feed-forward block; this method has none"

SPECS = (
    MethodSpec(
        name="prefix",
        known_as=("prefix_tuning", "p-tuning"),
        description="trained keys and values before the input",
        library="adapters",
        builder="adapterxfer.variants.interventions:Prefix",
        sizes=("prefix_length",),
        examples=({"prefix_length": 30},),
        places=("keys_values",),
        start="special",
        neutral="never",
        merges="",
        why_unmerged="attention divides by a sum over its keys, so averaged weights are not an averaged change",
        why_unfused=_NO_BOTTLENECK,
        citation="Li & Liang 2021, *Prefix-Tuning: Optimizing Continuous Prompts for Generation*",
    ),
    MethodSpec(
        name="loreft",
        known_as=("reft", "lo-reft"),
        description="low-rank edits of the first tokens' representations",
        library="adapters",
        builder="adapterxfer.variants.interventions:LoReft",
        sizes=("rank",),
        examples=({"rank": 8},),
        places=("layer",),
        start="special",
        neutral="rounding",
        merges="",
        why_unmerged="its subspace is the orthonormal factor of its weights, so averaged weights span another one",
        why_unfused=_NO_BOTTLENECK,
        citation="Wu et al. 2024, *ReFT: Representation Finetuning for Language Models*",
    ),
)
"""In the order of listings."""
