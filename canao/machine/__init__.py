"""What code is made for: processors and OpenCL devices, as tables and as found on this machine.

Takes what the operating system and drivers tell; gives vector units, device models and the
`Target` of a compilation. It knows nothing of models, schedules or text.
"""
