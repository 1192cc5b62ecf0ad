"""From fused layers to loop nests to C."""
