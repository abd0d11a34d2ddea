"""What a recipe's picture can be made of; drawn by `pictures.py`."""

from __future__ import annotations

# Of one model: `KIND MODEL`. The figure of a report whose file begins so; samples are drawn for the picture.
OF_A_MODEL = {
    "samples": "",
    "variations": "variations-",
    "diversity": "diversity-",
    "responsibility": "responsibility-shares",
    "noise-grid": "noise-grid",
    "noise-frechet": "noise-frechet",
    "growth": "retention-panels",
    "spectra": "geometry-spectra",
    "homogeneity": "geometry-homogeneity",
    "concepts": "concepts-effects",
}

# Of all models together: the analyzer whose reports are compared, and the figure of the comparison.
OF_ALL = {
    "blocks": ("quality", "blocks"),
    "curves": ("quality", "curves"),
    "classes": ("classes", "shares"),
    "retention": ("retention", "quality"),
}
