"""Networks, and the rule from features to a video's probabilities."""
