"""Producers' side of the image queue."""
