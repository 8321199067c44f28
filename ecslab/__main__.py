"""`python -m ecslab` is the `ecslab` command."""
from .cli import main

main()
