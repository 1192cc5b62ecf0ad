"""Conversions of products of matrices and of convolutions."""
