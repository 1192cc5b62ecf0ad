"""Laws that give up accuracy for speed, on request only: products as seven of half the size."""
