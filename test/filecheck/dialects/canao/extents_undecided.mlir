// RUN: not canao-opt %s 2>&1 | filecheck %s

// CHECK: whether rows < 2 depends on rows (from 1 to 3)
func.func @main(%x: tensor<?xf32, #canao.extents<[rows], rows in 1 to 3>>) -> tensor<2xf32> {
  %y = canao.slice %x starts [0] steps [1] : (tensor<?xf32, #canao.extents<[rows], rows in 1 to 3>>) -> tensor<2xf32>
  func.return %y : tensor<2xf32>
}
