"""One function per experiment, returning it whole."""
