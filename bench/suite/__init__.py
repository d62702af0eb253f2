"""The benchmark suite: what is measured, each part a module; bench/run.py runs them and writes the report."""
