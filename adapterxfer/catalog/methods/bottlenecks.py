"""Bottleneck methods: small networks on the sums of a layer's blocks."""

from __future__ import annotations

from adapterxfer.catalog.methods.setting import INIT_STD, bottleneck_settings, parallel_settings
from adapterxfer.catalog.methods.spec import BOTTLENECK_SIZES, AdaptersFiles, MethodSpec

_MORE = "AdapterFusion mixes single bottlenecks after the feed-forward block; this method is more than that, or another"

SPECS = (
    MethodSpec(
        name="seq_bn",
        known_as=("adapter", "bottleneck"),
        description="bottleneck after the feed-forward block",
        library="adapters",
        builder="adapterxfer.variants.bottleneck:Bottleneck",
        sizes=BOTTLENECK_SIZES,
        examples=({"reduction_factor": 16}, {"bottleneck_size": 64}),
        places=("ffn",),
        start="normal",
        partial_layers=True,
        batched=True,
        merges="weights",
        fuses=True,
        language="possible",
        citation="Pfeiffer et al. 2021, *AdapterFusion: Non-Destructive Task Composition for Transfer Learning*",
        adapters=AdaptersFiles(blocks={"": "output"}, abbreviations={"seq_bn": 16, "pfeiffer": 16}),
        settings=bottleneck_settings("SeqBnConfig of adapters 1.3", non_linearity="relu", before=True)
        | {"init_std": INIT_STD},
    ),
    MethodSpec(
        name="double_seq_bn",
        known_as=("double",),
        description="bottlenecks after both blocks",
        library="adapters",
        builder="adapterxfer.variants.bottleneck:DoubleBottleneck",
        sizes=BOTTLENECK_SIZES,
        examples=({"reduction_factor": 16},),
        places=("attention", "ffn"),
        start="normal",
        partial_layers=True,
        batched=True,
        merges="weights",
        why_unfused=_MORE,
        citation="Houlsby et al. 2019, *Parameter-Efficient Transfer Learning for NLP*",
        adapters=AdaptersFiles(
            blocks={"after_attention.": "attention.output", "after_ffn.": "output"},
            config={"mh_adapter": True, "non_linearity": "swish", "original_ln_before": False},
            abbreviations={"double_seq_bn": 16, "houlsby": 16},
        ),
        settings=bottleneck_settings("DoubleSeqBnConfig of adapters 1.3", non_linearity="swish", before=False)
        | {"init_std": INIT_STD},
    ),
    MethodSpec(
        name="par_bn",
        known_as=("parallel", "scaled_parallel"),
        description="bottleneck beside the feed-forward block",
        library="adapters",
        builder="adapterxfer.variants.bottleneck:ParallelBottleneck",
        sizes=BOTTLENECK_SIZES,
        examples=({"reduction_factor": 16},),
        places=("ffn",),
        start="neutral",
        partial_layers=True,
        batched=True,
        merges="weights",
        why_unfused=_MORE,
        citation="He et al. 2022, *Towards a Unified View of Parameter-Efficient Transfer Learning*",
        adapters=AdaptersFiles(
            blocks={"": "output"},
            config={
                "init_weights": "mam_adapter",
                "is_parallel": True,
                "original_ln_before": False,
                "scaling": 4.0,  # He et al. 2022, section 4.5
            },
            abbreviations={"par_bn": 2},
            # There the upper one sees the output of the lower one in place of the input of the block.
            stacks_alike=False,
        ),
        settings=parallel_settings("ParBnConfig of adapters 1.3", scaling=4.0),
    ),
    MethodSpec(
        name="seq_bn_inv",
        known_as=("mad-x", "madx", "mad-x2", "pfeiffer+inv", "invertible"),
        description="bottleneck after the feed-forward block and an invertible map of the embeddings (MAD-X)",
        library="adapters",
        builder="adapterxfer.variants.invertible:InvertibleBottleneck",
        sizes=BOTTLENECK_SIZES,
        examples=({"reduction_factor": 2},),
        places=("embedding", "ffn"),
        start="normal",
        merges="",
        why_unmerged="an average of two invertible maps is neither of them, nor the average of what they do",
        why_unfused=_MORE,
        language="default",
        citation="Pfeiffer et al. 2020, *MAD-X: An Adapter-Based Framework for Multi-Task Cross-Lingual Transfer*",
    ),
    MethodSpec(
        name="compacter",
        known_as=("phm", "compacter++"),
        description="bottlenecks of Kronecker products",
        library="adapters",
        builder="adapterxfer.variants.phm:Compacter",
        sizes=("reduction_factor",),
        examples=({"reduction_factor": 32},),
        places=("attention", "ffn"),
        start="special",
        merges="",
        why_unmerged="its matrices are products of trained factors, so averaged weights are not an averaged change",
        why_unfused=_MORE,
        citation="Karimi Mahabadi et al. 2021, *Compacter: Efficient Low-Rank Hypercomplex Adapter Layers*",
    ),
)
"""In the order of listings."""
