"""`rpganify analyze`: reports on what the layers of a model do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

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
    SeedOption,
    TrustSourceOption,
    WeightsOption,
)
from rpganify.entries import AnalyzerEntry, DataSetEntry, DistanceEntry, ExtractorEntry


def analyze(
    model: NamedModelArgument,
    analyzers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ANALYZER]...",
            help="Which; if none is named, all that the model allows.",
            autocompletion=names_of(AnalyzerEntry),
        ),
    ] = None,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the report.")] = Path(
        "report"
    ),
    extractor: Annotated[
        str,
        typer.Option(
            "--extractor",
            metavar="NAME",
            help="Features for semantic distances: inception[:FILE] (the paper's), classifier:FILE, pixels, …",
            autocompletion=names_of(ExtractorEntry),
        ),
    ] = "pixels",
    distance: Annotated[
        list[str] | None,
        typer.Option(
            "--distance",
            metavar="NAME[:ARGUMENT]",
            help="What tells images apart: colour, semantic:EXTRACTOR, pixels, …; repeat. Colour and the extractor's "
            "semantics if left out.",
            autocompletion=names_of(DistanceEntry),
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            metavar="NAME",
            help="Real samples, for analyzers that compare with them: digits, folder:DIR, …",
            autocompletion=names_of(DataSetEntry),
        ),
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option("--data-root", metavar="DIR", help="Where the data set's files are.")
    ] = None,
    twin: Annotated[
        str | None,
        typer.Option(
            "--twin",
            metavar="MODEL|SOURCE",
            help="A standard generator to compare with: a --standard run, or my_gan.py:Generator --weights g.pt.",
        ),
    ] = None,
    classifier: Annotated[
        Path | None,
        typer.Option("--classifier", metavar="FILE", help="A classifier's weights, for statements about classes."),
    ] = None,
    num_images: Annotated[
        int,
        typer.Option("--num-images", metavar="NUMBER", help="Images for numbers about distributions, such as FID."),
    ] = 1000,
    num_paths: Annotated[
        int, typer.Option("--paths", metavar="NUMBER", help="Random paths that numbers are averaged over.")
    ] = 100,
    path: Annotated[
        list[str] | None,
        typer.Option("--path", metavar="PATH", help="A path for pictures, e.g. 3-17-0-22-5; repeat."),
    ] = None,
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
    seed: SeedOption = 0,
    trust_source: TrustSourceOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure what the layers of a model do.

    Writes one page to look at (index.html), and JSON, CSV and PNG files. --json prints the reports as data.
    """
    from rpganify.analysis.analyzer import AnalysisContext
    from rpganify.analysis.classifier_features import open_classifier
    from rpganify.analysis.opening import open_distance, open_extractor
    from rpganify.cli.choosing import choose_device
    from rpganify.cli.conditions import read_conditions
    from rpganify.cli.console import say, show, show_json
    from rpganify.cli.models import is_on_disk, open_model
    from rpganify.cli.progress import ProgressTalk
    from rpganify.cli.sources import SourceOptions
    from rpganify.data.opening import fit_to, open_data
    from rpganify.errors import AnalysisError
    from rpganify.memory import keep_freed_memory
    from rpganify.registry import default_registry
    from rpganify.report.writing import report_to_json, write_reports
    from rpganify.routing.generator import RandomPathGenerator

    registry = default_registry()
    names = list(dict.fromkeys(analyzers or registry.all(AnalyzerEntry)))
    chosen = [registry.make(registry.get(AnalyzerEntry, name)) for name in names]
    place = choose_device(device)
    if place.type == "cpu":
        keep_freed_memory()
    plain = SourceOptions(
        model,
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
    # Options of a SOURCE go to the one SOURCE that is named, the model or its twin.
    own = SourceOptions(model, seed=seed) if twin and is_on_disk(model) and not is_on_disk(twin) else plain
    named = open_model(own, trusts_source=trust_source)
    opened = named.model
    for line in named.told:
        say(line)
    other = None
    if twin:
        foreign = SourceOptions(twin, seed=seed) if own is plain else replace(plain, source=twin)
        paired = open_model(foreign, trusts_source=trust_source)
        other = paired.model.to(place)
        for line in paired.told:
            say(f"twin: {line}")
    space = opened.paths if isinstance(opened, RandomPathGenerator) else None
    opened.to(place)
    real, done = fit_to(open_data(data, data_root, registry), opened.image_shape) if data else (None, "")
    if done:
        say(f"data: {done}")
    with ProgressTalk() as talk:
        context = AnalysisContext(
            seed=seed,
            num_paths=num_paths,
            paths=tuple(tuple(space.parse(text).tolist()) for text in path or ()) if space else (),
            extractor=open_extractor(extractor, place, registry),
            distances=tuple(open_distance(spec, opened.image_shape[0], place, registry) for spec in distance or ()),
            data=real,
            twin=other,
            num_images=num_images,
            classifier=open_classifier(argument=str(classifier), device=place) if classifier else None,
            names={
                name: str(text)
                for name, text in {"model": model, "data": data, "twin": twin, "classifier": classifier}.items()
                if text
            },
            device=place,
            conditions=read_conditions(condition, opened.conditions),
            progress=talk.update,
        )
        reports = []
        refused: list[AnalysisError] = []
        for analyzer in chosen:
            try:
                reports.append(analyzer.analyze(opened, context))
            except AnalysisError as error:
                if analyzers:  # the user asked for this one
                    raise
                refused.append(error)
        if not reports:
            raise refused[0]
    for refusal in refused:
        say(f"left out: {refusal}")
    files = write_reports(reports, output, title=f"Analysis of {model}")
    for report in reports:
        for note in report.notes:
            say(f"note ({report.name}): {note}")
    if as_json:
        show_json([report_to_json(report) for report in reports])
    else:
        for report in reports:
            show(f"{report.title}: {report.summary}" if report.summary else report.title)
    say(f"wrote {files[0]} and {len(files) - 1} files beside it")
