"""StyleGAN2 for rpganify: `rpganify convert stylegan2-32`."""
