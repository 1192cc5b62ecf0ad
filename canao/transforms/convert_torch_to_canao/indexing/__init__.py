"""Conversions whose places are tensors: lookups, scattering, masks, sorting."""
