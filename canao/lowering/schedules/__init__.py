"""How the stages of a layer run, as data, and the proofs that it is legal.

Takes stages and a schedule; gives the schedule's consequences (buffers, plans) or an
`IllegalScheduleError`. Nothing here chooses or emits.
"""
