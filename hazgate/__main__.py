"""`python -m hazgate` is `hazgate`."""

from hazgate.cli import main

main()
