"""What proposes architectures: the recurrent controller, its training, and a surrogate of trials.

Takes a space and finished candidates; gives the next one. It knows no study and no device.
"""
