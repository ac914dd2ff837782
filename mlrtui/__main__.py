"""`python -m mlrtui`: the command, also where no script of that name is on the path."""

from mlrtui.cli import main

if __name__ == "__main__":
    main()
