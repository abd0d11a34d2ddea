"""The commands that make a new model of a trained one; imports no torch."""

from __future__ import annotations

from rpganify.cli.card import card
from rpganify.cli.extract import extract
from rpganify.cli.grow import grow
from rpganify.cli.linearize import linearize
from rpganify.cli.merge import merge
from rpganify.cli.prune import prune

SURGERY = (grow, prune, linearize, merge, extract, card)
