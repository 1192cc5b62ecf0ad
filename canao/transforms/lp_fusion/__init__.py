"""Pass `lp-fusion`: operations grouped into fused layers, one kernel each."""

from canao.transforms.lp_fusion.lp_fusion import LPFusionPass

__all__ = ["LPFusionPass"]
