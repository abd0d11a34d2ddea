"""The built-in analyzers, image distances and feature extractors, offered through the hooks that strangers use."""

from __future__ import annotations

from rpganify.hookspecs import AnalyzerEntry, DistanceEntry, ExtractorEntry, hookimpl


@hookimpl
def rpganify_analyzers() -> list[AnalyzerEntry]:
    """Analyzers of buckets."""
    return [
        AnalyzerEntry(
            "variations",
            "a path's image, and a row per bucket of what other blocks make of it",
            "rpganify.analysis.variations.analyzer:Variations",
            needs=("buckets", "pictures"),
        ),
        AnalyzerEntry(
            "diversity",
            "how much images change with each bucket, in colour and semantics (section 4.1)",
            "rpganify.analysis.diversity.analyzer:Diversity",
            needs=("buckets", "pictures"),
        ),
        AnalyzerEntry(
            "responsibility",
            "what share of brightness, contrast, classes, … each bucket decides, alone and with others",
            "rpganify.analysis.responsibility.analyzer:Responsibility",
            needs=("buckets", "pictures"),
        ),
        AnalyzerEntry(
            "blocks",
            "what each block does to images, which look alike, which are dead or there twice",
            "rpganify.analysis.blocks.analyzer:Blocks",
            needs=("buckets", "pictures"),
        ),
        AnalyzerEntry(
            "quality",
            "how near the images are to real ones, and whether they reach them all (table 2, figure 11)",
            "rpganify.analysis.quality.analyzer:Quality",
            needs=("pictures", "data", "extractor"),
        ),
        AnalyzerEntry(
            "noise",
            "noise on a standard twin's weights against other blocks (section 4.2, appendix B)",
            "rpganify.analysis.noise.analyzer:Noise",
            needs=("buckets", "pictures", "twin"),
        ),
        AnalyzerEntry(
            "inversion",
            "which path makes an image: read off by a predictor, and found by search",
            "rpganify.analysis.inversion.analyzer:InversionAnalyzer",
            needs=("buckets", "pictures"),
        ),
        AnalyzerEntry(
            "concepts",
            "which block, or which number of z, raises and lowers which class",
            "rpganify.analysis.concepts.analyzer:Concepts",
            needs=("pictures", "classifier"),
        ),
        AnalyzerEntry(
            "classes",
            "what share of the images is of each class, by a classifier, against real ones",
            "rpganify.analysis.classes.analyzer:Classes",
            needs=("pictures", "classifier"),
        ),
        AnalyzerEntry(
            "retention",
            "what a model kept of its old classes when it grew, and learned of new ones (section 4.3, figure 6)",
            "rpganify.analysis.retention.analyzer:RetentionAnalyzer",
            needs=("pictures", "data", "extractor", "old classes"),
        ),
        AnalyzerEntry(
            "geometry",
            "along how many axes the image moves as the latent does, and whether they are the same everywhere",
            "rpganify.analysis.geometry.analyzer:Geometry",
            needs=("pictures",),
        ),
        AnalyzerEntry(
            "latent-inversion",
            "images given back by latents, searched in the metric's axes and without them, compared by paired tests",
            "rpganify.analysis.latent_inversion.analyzer:LatentInversion",
            needs=("pictures",),
            is_default=False,
        ),
        AnalyzerEntry(
            "controls",
            "few dimensions of z, or few blocks, that bring any image to a class; class-to-class translation",
            "rpganify.analysis.controls.analyzer:ControlsAnalyzer",
            needs=("pictures", "classifier"),
            is_default=False,
        ),
    ]


@hookimpl
def rpganify_distances() -> list[DistanceEntry]:
    """What `--distance` names."""
    opening = "rpganify.analysis.opening"
    return [
        DistanceEntry("colour", "Hellinger distance of colour histograms (section 4.1)", f"{opening}:open_colour"),
        DistanceEntry(
            "semantic",
            "Euclidean distance of features (semantic:EXTRACTOR, section 4.1)",
            f"{opening}:open_semantic",
        ),
        DistanceEntry("pixels", "Euclidean distance of the pixel values", f"{opening}:open_pixel_distance"),
        DistanceEntry("ssim", "structural dissimilarity, 1 − SSIM", f"{opening}:open_ssim"),
        DistanceEntry(
            "lpips", "perceptual distance by AlexNet or VGG16 (lpips:FILE)", "rpganify.analysis.lpips:open_lpips"
        ),
        DistanceEntry(
            "classifier",
            "Euclidean distance of a classifier's features (classifier:FILE)",
            f"{opening}:open_classifier_distance",
        ),
    ]


@hookimpl
def rpganify_extractors() -> list[ExtractorEntry]:
    """What `--extractor` names."""
    return [
        ExtractorEntry(
            "inception",
            "InceptionV3 pool features, the paper's (inception:FILE)",
            "rpganify.analysis.inception:open_inception",
        ),
        ExtractorEntry(
            "classifier",
            "a classifier's last hidden layer (classifier:FILE)",
            "rpganify.analysis.classifier_features:open_classifier",
        ),
        ExtractorEntry("pixels", "the pixel values themselves", "rpganify.analysis.features:open_pixels"),
    ]
