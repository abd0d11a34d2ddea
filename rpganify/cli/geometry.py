"""`rpganify geometry`: how the image moves as the latent does."""

from __future__ import annotations

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
    RawOption,
    SeedOption,
    TrustSourceOption,
    WeightsOption,
)
from rpganify.entries import DistanceEntry

FORMS = ("exact", "lanczos", "finite-differences")


def geometry(
    model: NamedModelArgument,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the report.")] = Path(
        "geometry"
    ),
    num_positions: Annotated[
        int,
        typer.Option("--positions", min=2, metavar="NUMBER", help="Random z, or of a converted model random paths."),
    ] = 30,
    form: Annotated[
        str,
        typer.Option(
            "--form",
            metavar="NAME",
            help="How the metric is had: exact, lanczos (the largest axes of a latent too large for that), or "
            "finite-differences.",
            autocompletion=lambda incomplete: [one for one in FORMS if one.startswith(incomplete)],
        ),
    ] = "exact",
    distance: Annotated[
        str,
        typer.Option(
            "--distance",
            metavar="NAME[:FILE]",
            help="Image distance: pixels (squared error), classifier:FILE, inception:FILE or lpips:FILE.",
            autocompletion=names_of(DistanceEntry),
        ),
    ] = "pixels",
    layer: Annotated[
        str | None, typer.Option("--layer", metavar="NAME", help="Move the output of this layer and not the latent.")
    ] = None,
    part: Annotated[
        str | None,
        typer.Option("--part", metavar="INDICES", help="Move these inputs only, counted from 0: 0-63, or 0-3,7."),
    ] = None,
    num_top: Annotated[
        int | None, typer.Option("--top", min=1, metavar="NUMBER", help="Axes that lanczos looks for; 20 if left out.")
    ] = None,
    path: Annotated[
        list[str] | None,
        typer.Option(
            "--path",
            metavar="PATH",
            help="Of a converted model: this path, with vectors around Z; several: at Z alone.",
        ),
    ] = None,
    num_controls: Annotated[
        int,
        typer.Option(
            "--controls", min=0, metavar="NUMBER", help="Positions of the shuffled and untrained networks; 0: none."
        ),
    ] = 10,
    compares: Annotated[
        bool, typer.Option("--compare-forms", help="Also time and weigh all three forms at the first position.")
    ] = False,
    axes: Annotated[
        Path | None,
        typer.Option("--axes", metavar="FILE", help="Also write the axes of the mean metric, as safetensors."),
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
    raw: RawOption = False,
    seed: SeedOption = 0,
    trust_source: TrustSourceOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Measure how the image moves as the latent does: along how many axes, and whether they are the same everywhere.

    The metric of the image manifold is taken at random z; of a converted model, at Z under random paths. Writes one page to
    look at (index.html), and JSON, CSV and PNG files.
    """
    from dataclasses import replace

    from rpganify.analysis.geometry.axes_file import save_axes
    from rpganify.analysis.geometry.axes_measured import measured_axes, with_strips
    from rpganify.analysis.geometry.feature_maps import open_feature_map
    from rpganify.analysis.geometry.measure import GeometryConfig, measure_geometry
    from rpganify.analysis.geometry.metric import NUM_TOP
    from rpganify.analysis.geometry.points import Place
    from rpganify.analysis.geometry.report import make_report
    from rpganify.bench.geometry import compare_forms, forms_table
    from rpganify.cli.analyses import Analyzed
    from rpganify.cli.analysis_options import AnalysisOptions
    from rpganify.cli.analysis_tools import check_is_usable, make_context, open_models
    from rpganify.cli.console import say
    from rpganify.cli.parsing import parse_indices
    from rpganify.cli.progress import ProgressTalk
    from rpganify.cli.report_page import make_page
    from rpganify.cli.sources import SourceOptions
    from rpganify.cli.told import tell_reports
    from rpganify.report.writing import report_to_json, write_page

    if num_top is not None and form != "lanczos":
        raise typer.BadParameter("It goes with --form lanczos; the other forms find all axes.", param_hint="--top")
    place = Place(layer, tuple(parse_indices(part, "--part")))
    check_is_usable(output)
    if axes is not None and not axes.resolve().parent.is_dir():
        raise typer.BadParameter(f"{axes.parent} is no folder; make it first.", param_hint="--axes")
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
        paths=path or (),
        conditions=condition or (),
        seed=seed,
        trusts_source=trust_source,
        device=device,
        is_raw=raw,
    )
    (named,), tools = open_models([model], options)
    if path and named.model.codes != "paths":
        raise typer.BadParameter(
            f"{model} is a standard generator and has no paths; leave it out.", param_hint="--path"
        )
    features = open_feature_map(distance, named.model.image_shape[0], tools.place, tools.registry)
    config = GeometryConfig(num_positions, form, num_top or NUM_TOP, features, place, num_controls)
    with ProgressTalk() as talk:
        context = make_context(named, tools, options, talk)
        measured = measure_geometry(named.model, context, config)
        report = with_strips(make_report(measured, named.model, context), measured, named.model, context)
        if axes is not None:
            save_axes(measured_axes(measured, named.model, context)[1], axes)
        if compares:
            first = measured.model.products[0], measured.model.points.points[0].position
            costs = compare_forms(*first, seed, lambda done, total: talk.update("forms", done, total))
            report = replace(report, tables=(forms_table(costs), *report.tables))
    files = write_page(make_page([Analyzed(named, context, (report,), ())], seed), output)
    tell_reports([report], files, has_sentences=True, content=report_to_json(report) if as_json else None)
    if axes is not None:
        say(f"wrote {axes}")
