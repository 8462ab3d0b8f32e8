"""`lrcn predict`: what happens in these videos."""
