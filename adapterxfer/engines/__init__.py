"""Engines run a plan: which process takes which stage next, and what happens when it dies. Drivers import no torch."""
