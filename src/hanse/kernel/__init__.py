"""Typed face of the kernel extension: numpy columns in, numpy columns out."""
