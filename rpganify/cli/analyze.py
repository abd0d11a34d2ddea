"""`rpganify analyze`: reports on what the layers of a model do."""

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
from rpganify.cli.completion import names_of
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
    JsonOption,
    LatentOption,
    NamedModelArgument,
    RawOption,
    SeedOption,
    TrustSourceOption,
    WeightsOption,
)
from rpganify.entries import AnalyzerEntry


def analyze(
    model: NamedModelArgument,
    analyzers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ANALYZER]...",
            help="Which; if none is named, all that the model and the options allow.",
            autocompletion=names_of(AnalyzerEntry),
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the report.")] = Path(
        "report"
    ),
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
    as_json: JsonOption = False,
) -> None:
    """Measure what the layers of a model do.

    Writes one page to look at (index.html), and JSON, CSV and PNG files. It says first what it will run and about how
    long; what is done is kept in the folder, so that an interrupted analysis goes on and a repeated one is read. --json
    prints the reports as data.
    """
    from rpganify.cli.analyses import analyze_models
    from rpganify.cli.analysis_tools import check_analyzers, check_is_usable, open_models
    from rpganify.cli.progress import ProgressTalk
    from rpganify.cli.report_page import make_page
    from rpganify.cli.sources import SourceOptions
    from rpganify.cli.told import tell_reports
    from rpganify.report.writing import report_to_json, write_page

    check_is_usable(output)
    check_analyzers(analyzers or ())
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
        within_min=within,
        is_fresh=fresh,
        seed=seed,
        trusts_source=trust_source,
        device=device,
        is_raw=raw,
    )
    opened, tools = open_models([model], options)
    with ProgressTalk() as talk:
        (analyzed,) = analyze_models(opened, tools, options, analyzers or (), output, talk)
    if not analyzed.reports and analyzed.refused:
        raise analyzed.refused[0]
    files = write_page(make_page([analyzed], seed), output)
    content = [report_to_json(report) for report in analyzed.reports] if as_json else None
    tell_reports(analyzed.reports, files, has_sentences=False, content=content)
