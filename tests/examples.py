"""How many examples a fuzz test draws: few, the same at every run, or as many new ones as ``--examples`` says."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

LONGER = "longer"


def usually(count: int) -> settings:
    """Settings of a test that draws so many examples unless told; its reader and its folder serve them all."""
    shared = dict(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
    if settings.get_current_profile_name() == LONGER:
        return settings(**shared)
    return settings(max_examples=count, **shared)
