"""How property tests run here: the same examples each time, and no clock, since other tests share the two cores."""

from hypothesis import HealthCheck, settings

law = settings(deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
# Where every example converts a generator, some 30 ms.
costly_law = settings(law, max_examples=25)
