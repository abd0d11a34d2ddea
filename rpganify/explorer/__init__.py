"""The explorer: a local page where a click on a block changes the image. Served to this machine only."""
