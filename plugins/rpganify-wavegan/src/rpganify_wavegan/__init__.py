"""WaveGAN for rpganify: `rpganify convert wavegan-4096`."""
