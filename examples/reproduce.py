"""Repeats an experiment of the paper: `python examples/reproduce.py mnist-incremental --small --data-root DIR`."""

from reproducing.main import main

if __name__ == "__main__":
    main()
