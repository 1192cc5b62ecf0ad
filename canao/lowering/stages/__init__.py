"""What a layer is cut into: loop nests that each fill one buffer, and what they read and where.

Takes a layer; gives its stages. Nothing here knows of schedules, registers or text.
"""
