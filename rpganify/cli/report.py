"""`rpganify report`: everything that is known of one or several models, on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rpganify.cli.analysis_options import (
    AnalysisOptions,
    DataOption,
    DataRootOption,
    DistanceOption,
    ExtractorOption,
    FreshOption,
    NumImagesOption,
    NumPathsOption,
    OldClassesOption,
    PathOption,
    TwinOption,
    WithinOption,
)
from rpganify.cli.classifiers import (
    ClassifierArgOption,
    ClassifierInputOption,
    ClassifierMeanOption,
    ClassifierOption,
    ClassifierOptions,
    ClassifierStdOption,
    ClassifierWeightsOption,
)
from rpganify.cli.completion import complete_source, names_of
from rpganify.cli.options import (
    ArgOption,
    ArgvOption,
    ConditionOption,
    ConstOption,
    DeviceOption,
    FreezeNoiseOption,
    ImageOption,
    ImageShapeOption,
    InputOption,
    LatentOption,
    RawOption,
    SeedOption,
    TrustSourceOption,
    WeightsOption,
)
from rpganify.entries import AnalyzerEntry


def report(
    models: Annotated[
        list[str],
        typer.Argument(
            metavar="MODEL...",
            help="Converted models, runs' folders, or SOURCEs taken as standard generators; shown side by side.",
            autocompletion=complete_source,
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the report.")] = Path(
        "report"
    ),
    title: Annotated[str | None, typer.Option("--title", metavar="TEXT", help="The page's heading.")] = None,
    analyzer: Annotated[
        list[str] | None,
        typer.Option(
            "--analyzer",
            metavar="NAME",
            help="Only this analysis; repeat. All that the models and the options allow if left out.",
            autocompletion=names_of(AnalyzerEntry),
        ),
    ] = None,
    extractor: ExtractorOption = "pixels",
    distance: DistanceOption = None,
    data: DataOption = None,
    data_root: DataRootOption = None,
    old_classes: OldClassesOption = None,
    twin: TwinOption = None,
    classifier: ClassifierOption = None,
    classifier_weights: ClassifierWeightsOption = None,
    classifier_arg: ClassifierArgOption = None,
    classifier_input: ClassifierInputOption = None,
    classifier_mean: ClassifierMeanOption = None,
    classifier_std: ClassifierStdOption = None,
    num_paths: NumPathsOption = None,
    num_images: NumImagesOption = None,
    path: PathOption = None,
    within: WithinOption = 10.0,
    fresh: FreshOption = False,
    arg: ArgOption = None,
    argv: ArgvOption = None,
    latent: LatentOption = None,
    inputs: InputOption = None,
    const: ConstOption = None,
    image: ImageOption = None,
    image_shape: ImageShapeOption = None,
    freeze_noise: FreezeNoiseOption = False,
    weights: WeightsOption = None,
    condition: ConditionOption = None,
    raw: RawOption = False,
    seed: SeedOption = 0,
    trust_source: TrustSourceOption = False,
    device: DeviceOption = "auto",
) -> None:
    """Show what is known of models on one page to look at and to hand on.

    Runs the analyses that are missing, as `rpganify analyze` does, and keeps them. Writes index.html, which needs no
    network and no other file, report.json with all numbers, and CSV and PNG files. A standard generator among the models
    is the others' twin, unless --twin names one.
    """
    from rpganify.cli.analyses import analyze_models
    from rpganify.cli.analysis_tools import check_analyzers, check_is_usable, open_models, with_twin_among
    from rpganify.cli.console import say, show
    from rpganify.cli.progress import ProgressTalk
    from rpganify.cli.report_page import make_page
    from rpganify.cli.sources import SourceOptions
    from rpganify.report.writing import write_page

    check_is_usable(output)
    check_analyzers(analyzer or ())
    named = list(dict.fromkeys(models))
    plain = SourceOptions(
        "",
        arguments=arg,
        argv=argv,
        latent=latent,
        inputs=inputs,
        constants=const,
        image=image,
        image_shape=image_shape,
        freezes_noise=freeze_noise,
        weights=weights,
        seed=seed,
    )
    options = AnalysisOptions(
        plain,
        extractor=extractor,
        distances=distance or (),
        data=data,
        data_root=data_root,
        old_classes=old_classes,
        twin=twin,
        classifier=ClassifierOptions(
            classifier, classifier_weights, classifier_arg or (), classifier_input, classifier_mean, classifier_std
        ),
        num_paths=num_paths,
        num_images=num_images,
        paths=path or (),
        conditions=condition or (),
        within_min=within / len(named),
        is_fresh=fresh,
        seed=seed,
        trusts_source=trust_source,
        device=device,
        is_raw=raw,
    )
    opened, tools = open_models(named, options)
    tools = with_twin_among(opened, tools)
    with ProgressTalk() as talk:
        analyzed = analyze_models(opened, tools, options, analyzer or (), output, talk)
    files = write_page(make_page(analyzed, seed, title), output)
    show(str(files[0]))
    size_mb = files[0].stat().st_size / 2**20
    say(f"wrote {files[0]} ({size_mb:.1f} MB, it stands alone) and {len(files) - 1} files beside it")
