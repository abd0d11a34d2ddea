"""What this package offers to rpganify; imports no torch."""

from __future__ import annotations

from rpganify import hookimpl
from rpganify.hookspecs import Architecture, DataSetEntry, DiscriminatorEntry


@hookimpl
def rpganify_architectures() -> list[Architecture]:
    """WaveGAN's generator for two lengths: a bucket per layer."""
    return [
        Architecture(
            "wavegan-4096",
            "WaveGAN, 4,096 samples of sound: dense, 4 transposed 1-D convolutions",
            "rpganify_wavegan.generator:wavegan_4096",
            (100,),
            ("linear", "stage1", "stage2", "stage3", "stage4"),
            "wavegan",
        ),
        Architecture(
            "wavegan-16384",
            "WaveGAN, 16,384 samples of sound: dense, 5 transposed 1-D convolutions",
            "rpganify_wavegan.generator:wavegan_16384",
            (100,),
            ("linear", "stage1", "stage2", "stage3", "stage4", "stage5"),
            "wavegan",
        ),
    ]


@hookimpl
def rpganify_discriminators() -> list[DiscriminatorEntry]:
    """Its discriminator, for signals from 64 samples on."""
    return [
        DiscriminatorEntry(
            "wavegan",
            "WaveGAN's: strided 1-D convolutions with phase shuffle",
            "rpganify_wavegan.discriminator:wavegan_discriminator",
        )
    ]


@hookimpl
def rpganify_datasets() -> list[DataSetEntry]:
    """One set that needs no file, and the user's own recordings."""
    return [
        DataSetEntry(
            "plucked",
            "1,200 synthetic plucked strings of 12 notes, 16 kHz; computed, not recorded",
            "rpganify_wavegan.plucked:open_plucked",
        ),
        DataSetEntry(
            "wav-folder",
            "every .wav under a folder, cut to the generator's length (wav-folder:DIR)",
            "rpganify_wavegan.folder:open_wav_folder",
        ),
    ]
