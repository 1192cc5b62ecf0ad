"""The canao dialect, and the interfaces that its operations implement.

Takes types and attributes of xDSL; gives operations that declare laws, accesses and meaning.
Nothing here knows a pass, a target or PyTorch.
"""
