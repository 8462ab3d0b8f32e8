"""Layers: backbones, recurrent core, heads."""
