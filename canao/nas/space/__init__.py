"""What a search may choose and what it wants: architectures, their space, objectives.

Values only: nothing here proposes, measures or trains.
"""
