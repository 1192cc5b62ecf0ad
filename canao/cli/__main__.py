"""`python -m canao.cli`."""

from canao.cli import main

main()
