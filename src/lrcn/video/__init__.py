"""Frames in and out: files, folders of images, arrays; which frames make up a clip."""
