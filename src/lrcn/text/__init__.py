"""Words: tokenizers and the vocabulary."""
