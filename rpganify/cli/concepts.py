"""`rpganify concepts`: which latent variable, or which block, changes which class."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rpganify.cli.analysis_options import DataOption, DataRootOption, TwinOption
from rpganify.cli.classifiers import (
    ClassifierArgOption,
    ClassifierInputOption,
    ClassifierMeanOption,
    ClassifierOption,
    ClassifierOptions,
    ClassifierStdOption,
    ClassifierWeightsOption,
)
from rpganify.cli.controls import SaveControlsOption, SetsOption
from rpganify.cli.options import (
    ArgOption,
    ConditionOption,
    DeviceOption,
    JsonOption,
    LatentOption,
    NamedModelArgument,
    RawOption,
    SeedOption,
    TrustSourceOption,
    WeightsOption,
)


def concepts(
    model: NamedModelArgument,
    classifier: ClassifierOption = None,
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder of the report.")] = Path(
        "concepts"
    ),
    classifier_weights: ClassifierWeightsOption = None,
    classifier_arg: ClassifierArgOption = None,
    classifier_input: ClassifierInputOption = None,
    classifier_mean: ClassifierMeanOption = None,
    classifier_std: ClassifierStdOption = None,
    num_z: Annotated[
        int,
        typer.Option("--num-z", min=2, metavar="NUMBER", help="Latents, or paths, that every intervention is made on."),
    ] = 200,
    delta: Annotated[
        list[float] | None,
        typer.Option(
            "--delta",
            metavar="NUMBER",
            help="Each number of z is set to so many standard deviations, up and down; repeat. 1, 2 and 3 if left out; the "
            "largest is reported in full.",
            show_default=False,
        ),
    ] = None,
    has_sets: SetsOption = False,
    twin: TwinOption = None,
    data: DataOption = None,
    data_root: DataRootOption = None,
    save_controls: SaveControlsOption = None,
    arg: ArgOption = None,
    latent: LatentOption = None,
    weights: WeightsOption = None,
    condition: ConditionOption = None,
    raw: RawOption = False,
    seed: SeedOption = 0,
    trust_source: TrustSourceOption = False,
    device: DeviceOption = "auto",
    as_json: JsonOption = False,
) -> None:
    """Find what changes which class.

    Of a standard generator each number of z is set to a value, of a converted one each block is put in its place; the
    classifier says what that changes. --sets also finds few of them that together bring any image to a class, and
    --save-controls keeps those for `rpganify sample --control`. Writes one page to look at (index.html), and JSON, CSV
    and PNG files.
    """
    if classifier is None:
        raise typer.BadParameter(
            "Concepts are what a classifier sees: name one. `rpganify classifier DATA -o FILE` trains it on labelled images.",
            param_hint="--classifier",
        )

    from rpganify.analysis.concepts.analyzer import Concepts, ConceptsConfig
    from rpganify.analysis.concepts.interventions import DELTAS
    from rpganify.cli.analyses import Analyzed
    from rpganify.cli.analysis_options import AnalysisOptions
    from rpganify.cli.analysis_tools import check_is_usable, make_context, open_models
    from rpganify.cli.controls import check_controls_path, find_sets, write_controls
    from rpganify.cli.progress import ProgressTalk
    from rpganify.cli.report_page import make_page
    from rpganify.cli.sources import SourceOptions
    from rpganify.cli.told import tell_reports
    from rpganify.report.writing import report_to_json, write_page

    check_is_usable(output)
    check_controls_path(save_controls)
    config = ConceptsConfig(num_z=num_z, deltas=tuple(sorted(set(delta or DELTAS))))
    options = AnalysisOptions(
        SourceOptions("", arguments=arg, latent=latent, weights=weights, seed=seed),
        classifier=ClassifierOptions(
            classifier, classifier_weights, classifier_arg or (), classifier_input, classifier_mean, classifier_std
        ),
        twin=twin,
        data=data,
        data_root=data_root,
        conditions=condition or (),
        seed=seed,
        trusts_source=trust_source,
        device=device,
        is_raw=raw,
    )
    (named,), tools = open_models([model], options)
    with ProgressTalk() as talk:
        context = make_context(named, tools, options, talk)
        reports = [Concepts(config).analyze(named.model, context)]
        if has_sets or save_controls is not None:
            reports.append(find_sets(named.model, context, num_z))
    files = write_page(make_page([Analyzed(named, context, tuple(reports), ())], seed), output)
    content = [report_to_json(report) for report in reports] if as_json else None
    tell_reports(reports, files, has_sentences=True, content=content)
    if save_controls is not None:
        write_controls(reports[-1], save_controls, model)
