"""How fast is it? Each benchmark compares two things in one run and reports their ratio.

`make bench` runs them all (Docker needed); `python -m benchmarks NAME ...` runs some.
"""
