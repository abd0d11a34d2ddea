"""`python -m rpganify`, which launchers of several processes call: `accelerate launch -m rpganify train …`."""

from rpganify.cli import main

if __name__ == "__main__":
    main()
