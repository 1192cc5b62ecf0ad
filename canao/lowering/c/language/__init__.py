"""What differs between C and its relatives: types, vectors, registers, native instructions.

Takes types; gives text of declarations and expressions. It knows no operation.
"""
