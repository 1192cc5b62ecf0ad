"""From PyTorch models and MLIR text to a module in xDSL; weights leave the IR here."""
