"""Measures what recipes learn, over seeds: ``python -m bench.quality ring --seeds 10``; tables by ``--readme``."""
