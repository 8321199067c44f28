"""Where containers run: on Docker, or simulated in virtual time."""
