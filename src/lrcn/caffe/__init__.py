"""A way in for models of the original Caffe code: read the file, map its blobs, write a folder."""
