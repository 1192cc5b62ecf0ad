"""Products with weights: adapters fold into them, scales move into them, and they are joined."""
