"""New blocks for a trained model, trained alone: `python examples/04_grow.py [STEPS]`, after 02_train_from_python.py."""

import sys
from pathlib import Path

import torch

import rpganify
from rpganify.data.opening import open_data
from rpganify.models.mlp import mlp_discriminator
from rpganify.registry import default_registry
from rpganify.surgery.new_paths import sample_new_paths
from rpganify.surgery.retention import compare_old
from rpganify.training.config import TrainConfig
from rpganify.training.losses import Hinge
from rpganify.training.trainer import Trainer

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 500
RUNS = Path("runs/examples")

rp = rpganify.load(RUNS / "digits")
grown = rpganify.grow(rp, add=(5, 0, 0))  # five more blocks in the first bucket; a new model, the old one stays
print(f"{rp.paths.num_blocks} -> {grown.paths.num_blocks}: {grown.paths.cardinality:,} paths")

# Old paths keep their numbers and their images.
old_paths = rp.paths.sample(64, generator=torch.Generator().manual_seed(0))
rp.eval()
grown.eval()
with torch.no_grad():
    before = rp(old_paths)
    print("old paths changed by", float((grown(old_paths) - before).abs().max()))

# `only_new` trains the new blocks and nothing else: old blocks, Z, shared norms and their statistics stay.
as_grown = rpganify.grow(rp, add=(5, 0, 0))
trainer = Trainer(
    grown,
    mlp_discriminator(image_shape=(1, 8, 8), spectral_norm=True, channels=256),
    Hinge(),
    open_data("digits[0-4]", None, default_registry()),  # only these, so that one sees who learnt what
    TrainConfig(steps=STEPS, generator_lr=1e-3, discriminator_lr=1e-3, only_new=True, sample_every=max(1, STEPS // 2)),
    run=RUNS / "digits-grown",
    save_generator=rpganify.save,
)
trainer.resume() if (RUNS / "digits-grown" / "checkpoints").is_dir() else trainer.run()

grown.eval()
with torch.no_grad():
    print("after training, old paths changed by", float((grown(old_paths) - before).abs().max()))
    new_paths = sample_new_paths(grown, 64, torch.Generator().manual_seed(0))  # through a new block at least once
    print("images of new paths:", tuple(grown(new_paths).shape))
proof = compare_old(as_grown, grown)
print(
    f"bit for bit: {proof.num_values:,} old values kept, {len(proof.changed)} tensors changed; {proof.num_new_changed:,} new"
)
