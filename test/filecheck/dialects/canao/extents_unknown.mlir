// RUN: not canao-opt %s 2>&1 | filecheck %s

// CHECK: tensor<?xf32> has an extent that is not known; say with #canao.extents what it is
func.func @main(%x: tensor<?xf32>) -> tensor<?xf32> {
  %y = canao.exp %x : (tensor<?xf32>) -> tensor<?xf32>
  func.return %y : tensor<?xf32>
}
