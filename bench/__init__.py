"""Measures fastgan beside other frameworks: ``make bench``, or ``python -m bench.report`` on the newest results."""
