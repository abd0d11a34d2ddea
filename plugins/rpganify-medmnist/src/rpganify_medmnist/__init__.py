"""MedMNIST's two-dimensional data sets for rpganify: `rpganify train … --data bloodmnist`."""
