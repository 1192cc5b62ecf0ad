"""What people already use, compiled inside: pipelines, sentence encoders, models by name."""
