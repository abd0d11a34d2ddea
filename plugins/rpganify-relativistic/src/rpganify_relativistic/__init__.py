"""Relativistic average losses for rpganify: `rpganify train … --loss ra-hinge`."""
