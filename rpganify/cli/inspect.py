"""`rpganify inspect`: what a generator is made of, and the buckets it would get."""

from __future__ import annotations

from rpganify.cli.options import (
    ArgOption,
    ArgvOption,
    BucketsOption,
    ConstOption,
    FreezeNoiseOption,
    ImageOption,
    ImageShapeOption,
    InputOption,
    JsonOption,
    LatentOption,
    SourceArgument,
)


def inspect(
    source: SourceArgument,
    buckets: BucketsOption = None,
    arg: ArgOption = None,
    argv: ArgvOption = None,
    latent: LatentOption = None,
    inputs: InputOption = None,
    const: ConstOption = None,
    image: ImageOption = None,
    image_shape: ImageShapeOption = None,
    freeze_noise: FreezeNoiseOption = False,
    as_json: JsonOption = False,
) -> None:
    """Show layers, shapes and proposed buckets. Writes nothing."""
    from rpganify.cli.console import show, show_json
    from rpganify.cli.formatting import format_shape
    from rpganify.cli.parsing import parse_buckets
    from rpganify.cli.plan_table import layers_to_json, show_layers
    from rpganify.cli.sources import SourceOptions, choose_plan, describe_source

    options = SourceOptions(
        source,
        arguments=arg,
        argv=argv,
        latent=latent,
        inputs=inputs,
        constants=const,
        image=image,
        image_shape=image_shape,
        freezes_noise=freeze_noise,
    )
    wanted = parse_buckets(buckets)
    loaded = options.load()
    inspection = options.inspect(options.build(loaded))
    plan = choose_plan(inspection, loaded, buckets=wanted)
    blueprint, stages = inspection.blueprint, [stage.layers for stage in inspection.stages()]
    notes = blueprint.provenance.get("notes", ())
    if as_json:
        show_json(
            {
                "source": loaded.text,
                "generator": blueprint.name,
                "latent": {"name": blueprint.latent.name, "shape": list(blueprint.latent.shape)},
                "conditions": [
                    {"name": spec.name, "shape": list(spec.shape), "dtype": str(spec.dtype).removeprefix("torch.")}
                    for spec in blueprint.inputs
                    if not spec.is_latent
                ],
                "image_shape": list(blueprint.image_shape),
                "layers": layers_to_json(blueprint.layers, plan, stages),
                "buckets": [{"name": bucket.name, "layers": list(bucket.layers)} for bucket in plan.buckets],
                "notes": list(notes),
            }
        )
        return
    taken = ", ".join(f"{spec.name} {format_shape(spec.shape)}".strip() for spec in blueprint.inputs)
    show(f"{loaded.text}: {blueprint.name}, {taken} → {format_shape(blueprint.image_shape)}")
    show_layers(blueprint.layers, plan, stages)
    for line in describe_source(loaded):
        show(line)
    for note in notes:
        show(f"note: {note}")
