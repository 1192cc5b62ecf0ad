"""Where schedules are measured: a child process of this machine, or a device.

A place builds programs and runs them in turn; what is asked, on which numbers, which results agree
and what is remembered is the same for all.
"""
