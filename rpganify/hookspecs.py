"""The extension points: a plugin implements any of these functions with `@rpganify.hookimpl`.

A hook takes no arguments and lists entries, which `rpganify/entries.py` describes. Every example is a whole one-file
plugin: saved as `mine.py` in a folder, it works with `rpganify --plugins-dir FOLDER`. None imports torch until one of its
factories is called, so that `rpganify plugins` and shell completion stay quick.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from rpganify.entries import (
    AnalyzerEntry,
    Architecture,
    CallbackEntry,
    DataSetEntry,
    DiscriminatorEntry,
    DistanceEntry,
    Entry,
    ExportEntry,
    ExtractorEntry,
    Factory,
    LossEntry,
    ReplicationEntry,
    RoutedLayerEntry,
)

__all__ = [
    "AnalyzerEntry",
    "Architecture",
    "CallbackEntry",
    "DataSetEntry",
    "DiscriminatorEntry",
    "DistanceEntry",
    "Entry",
    "ExportEntry",
    "ExtractorEntry",
    "Factory",
    "LossEntry",
    "ReplicationEntry",
    "RoutedLayerEntry",
    "hookimpl",
]

PROJECT = "rpganify"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def rpganify_architectures() -> Iterable[Architecture]:  # type: ignore[empty-body]
    """Generators that can be named.

    Example:
        from rpganify.hookspecs import Architecture, hookimpl


        def build_small(width=64):
            from torch import nn

            layers = [nn.Linear(16, width), nn.ReLU(), nn.Linear(width, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8))]
            return nn.Sequential(*layers)


        @hookimpl
        def rpganify_architectures():
            return [Architecture("small", "two linear layers, 8x8", build_small, (16,), ("0", "2"), "mlp")]
    """


@hookspec
def rpganify_losses() -> Iterable[LossEntry]:  # type: ignore[empty-body]
    """Adversarial losses.

    Example:
        from rpganify.hookspecs import LossEntry, hookimpl


        class AbsoluteError:
            wants_spectral_norm = False

            def discriminator(self, real_scores, fake_scores):
                return (real_scores - 1).abs().mean() + (fake_scores + 1).abs().mean()

            def generator(self, fake_scores):
                return (fake_scores - 1).abs().mean()

            def penalty(self, discriminator, real, fake, generator):
                return None


        @hookimpl
        def rpganify_losses():
            return [LossEntry("absolute-error", "absolute error to 1 (real) and -1 (fake)", AbsoluteError)]
    """


@hookspec
def rpganify_discriminators() -> Iterable[DiscriminatorEntry]:  # type: ignore[empty-body]
    """Discriminators.

    Example:
        from rpganify.hookspecs import DiscriminatorEntry, hookimpl


        def build_linear(*, image_shape, spectral_norm):
            from math import prod

            from torch import nn

            score = nn.Linear(prod(image_shape), 1)
            return nn.Sequential(nn.Flatten(), nn.utils.spectral_norm(score) if spectral_norm else score, nn.Flatten(0))


        @hookimpl
        def rpganify_discriminators():
            return [DiscriminatorEntry("linear", "one linear layer", build_linear)]
    """


@hookspec
def rpganify_datasets() -> Iterable[DataSetEntry]:  # type: ignore[empty-body]
    """Data sets of images.

    Example:
        from rpganify.hookspecs import DataSetEntry, hookimpl


        def open_stripes(*, root=None, argument=None):
            import torch

            from rpganify.data.images import MemoryImages

            row = torch.arange(8)[:, None]
            lines = [(row // width % 2).expand(8, 8) * 255 for width in (1, 2, 4)]
            pixels = torch.stack(lines).to(torch.uint8)[:, None]  # (3, 1, 8, 8)
            return MemoryImages("stripes", pixels, torch.arange(3), ("thin", "medium", "thick"))


        @hookimpl
        def rpganify_datasets():
            return [DataSetEntry("stripes", "three pictures of stripes, 8x8 grey", open_stripes)]
    """


@hookspec
def rpganify_routed_layers() -> Iterable[RoutedLayerEntry]:  # type: ignore[empty-body]
    """Layer types that run with a block axis.

    `call` is given one block's tensors by name and the samples that take this block.

    Example:
        from rpganify.hookspecs import RoutedLayerEntry, hookimpl


        class RoutedBilinear:
            def config(self, module):
                sizes = {"in1_features": module.in1_features, "in2_features": module.in2_features}
                return {**sizes, "out_features": module.out_features, "bias": module.bias is not None}

            def build(self, config):
                from torch import nn

                return nn.Bilinear(**config)

            def call(self, config, tensors, inputs, is_training):
                from torch.nn import functional

                return functional.bilinear(*inputs, tensors["weight"], tensors.get("bias"))


        @hookimpl
        def rpganify_routed_layers():
            return [RoutedLayerEntry("bilinear", "nn.Bilinear, of two inputs", "torch.nn:Bilinear", RoutedBilinear)]
    """


@hookspec
def rpganify_replications() -> Iterable[ReplicationEntry]:  # type: ignore[empty-body]
    """Ways in which blocks differ at birth.

    Example:
        from rpganify.hookspecs import ReplicationEntry, hookimpl


        def scale_apart():
            def make(values, fresh, generator):
                import torch

                if not values.is_floating_point():
                    return values
                return values * (0.5 + torch.rand((), generator=generator))

            return make


        @hookimpl
        def rpganify_replications():
            return [ReplicationEntry("scaled", "copies, each tensor times 0.5 to 1.5", scale_apart)]
    """


@hookspec
def rpganify_distances() -> Iterable[DistanceEntry]:  # type: ignore[empty-body]
    """Distances between images.

    Example:
        from rpganify.hookspecs import DistanceEntry, hookimpl


        class BrightnessDistance:
            key = "brightness"
            title = "Brightness"
            parts = ("brightness",)

            def describe(self, images):
                return images.double().flatten(1).mean(dim=1)  # (N,)

            def pairs(self, described):
                return (described[:, :, None] - described[:, None, :]).abs()[..., None]  # (G, k, k, 1)


        def open_brightness(*, num_channels, argument=None, device="cpu"):
            return BrightnessDistance()


        @hookimpl
        def rpganify_distances():
            return [DistanceEntry("brightness", "difference of the mean pixel", open_brightness)]
    """


@hookspec
def rpganify_extractors() -> Iterable[ExtractorEntry]:  # type: ignore[empty-body]
    """Feature extractors, which say what makes two images alike.

    Example:
        from rpganify.hookspecs import ExtractorEntry, hookimpl


        class Thumbnail:
            name = "thumbnail"
            is_papers = False
            provenance = {"size": 4}

            def adaptation(self, image_shape):
                return "averaged down to 4×4"

            def __call__(self, images):
                from torch.nn import functional

                return functional.adaptive_avg_pool2d(images, 4).flatten(1).cpu()


        def open_thumbnail(*, argument=None, device="cpu"):
            return Thumbnail()


        @hookimpl
        def rpganify_extractors():
            return [ExtractorEntry("thumbnail", "the image at 4×4 pixels", open_thumbnail)]
    """


@hookspec
def rpganify_analyzers() -> Iterable[AnalyzerEntry]:  # type: ignore[empty-body]
    """Analyzers.

    Example:
        from rpganify.hookspecs import AnalyzerEntry, hookimpl


        class BucketSizes:
            name = "bucket-sizes"

            def analyze(self, model, context):
                from rpganify.analysis.analyzer import require_paths
                from rpganify.report.report import Column, Report, Table

                buckets = require_paths(model, self.name).plan.buckets
                rows = tuple((bucket.name, bucket.num_blocks) for bucket in buckets)
                table = Table("buckets", "Blocks of each bucket", (Column("bucket"), Column("blocks")), rows)
                return Report(self.name, "Buckets", "How many blocks each bucket has.", tables=(table,))


        @hookimpl
        def rpganify_analyzers():
            return [AnalyzerEntry("bucket-sizes", "how many blocks each bucket has", BucketSizes)]
    """


@hookspec
def rpganify_callbacks() -> Iterable[CallbackEntry]:  # type: ignore[empty-body]
    """What a training tells of its steps and checkpoints.

    Example:
        from rpganify.hookspecs import CallbackEntry, hookimpl


        def write_last_step(argument="last-step.txt"):
            from pathlib import Path

            from rpganify.training.callbacks import Callback

            class LastStep(Callback):
                def on_end(self, result):
                    Path(result.run, argument).write_text(f"{result.step}\\n")

            return LastStep()


        @hookimpl
        def rpganify_callbacks():
            return [CallbackEntry("last-step", "writes the last step's number into the run", write_last_step)]
    """


@hookspec
def rpganify_exports() -> Iterable[ExportEntry]:  # type: ignore[empty-body]
    """Formats in which a plain generator, such as one path, is written.

    Example:
        from rpganify.hookspecs import ExportEntry, hookimpl


        def shapes_writer():
            def write(module, latent, target):
                lines = [f"{name} {tuple(tensor.shape)}" for name, tensor in module.state_dict().items()]
                target.write_text("\\n".join(lines) + "\\n")

            return write


        @hookimpl
        def rpganify_exports():
            return [ExportEntry("shapes", "names and shapes of the tensors, as text", shapes_writer)]
    """
