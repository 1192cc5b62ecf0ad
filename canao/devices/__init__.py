"""Devices that run exported programs: this machine, an emulator, a host by ssh, a phone by adb.

Takes a directory that `export` wrote; gives figures, with the state of the device they were
taken in. Nothing here chooses, and nothing here knows how code is made.
"""
