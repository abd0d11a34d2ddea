"""BigGAN for rpganify: `rpganify convert biggan-32`."""
