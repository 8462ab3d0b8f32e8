"""Training: settings, loop, state, log."""
