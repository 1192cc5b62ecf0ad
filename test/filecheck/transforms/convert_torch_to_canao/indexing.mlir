// RUN: canao-opt %s -p convert-torch-to-canao | filecheck %s

// Negative positions count from the end in advanced indexing alone.
func.func @indexing(%w: !torch.vtensor<[5,3],f32>, %n: !torch.vtensor<[2,4],si64>, %m: !torch.vtensor<[2,1,3],si64>) -> (!torch.vtensor<[2,1,3],f32>, !torch.vtensor<[5,2,4],f32>) {
  %0 = "torch.constant.int"() <{value = 0 : i64}> : () -> !torch.int
  %1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %no = "torch.constant.bool"() <{value = false}> : () -> !torch.bool
  %none = "torch.constant.none"() : () -> !torch.none
  %e = "torch.aten.embedding"(%w, %n, %0, %no, %no) : (!torch.vtensor<[5,3],f32>, !torch.vtensor<[2,4],si64>, !torch.int, !torch.bool, !torch.bool) -> !torch.vtensor<[2,4,3],f32>
  %g = "torch.aten.gather"(%e, %1, %m, %no) : (!torch.vtensor<[2,4,3],f32>, !torch.int, !torch.vtensor<[2,1,3],si64>, !torch.bool) -> !torch.vtensor<[2,1,3],f32>
  %list = "torch.prim.ListConstruct"(%none, %n) : (!torch.none, !torch.vtensor<[2,4],si64>) -> !torch.list<optional<vtensor>>
  %i = "torch.aten.index.Tensor"(%w, %list) : (!torch.vtensor<[5,3],f32>, !torch.list<optional<vtensor>>) -> !torch.vtensor<[5,2,4],f32>
  func.return %g, %i : !torch.vtensor<[2,1,3],f32>, !torch.vtensor<[5,2,4],f32>
}

// CHECK-LABEL: func.func @indexing(%w: tensor<5x3xf32>, %n: tensor<2x4xi64>, %m: tensor<2x1x3xi64>) -> (tensor<2x1x3xf32>, tensor<5x2x4xf32>) {
// CHECK-NEXT:    %0 = canao.gather %w at %n : (tensor<5x3xf32>, tensor<2x4xi64>) -> tensor<2x4x3xf32>
// CHECK-NEXT:    %1 = canao.constant dense<[[[0]], [[1]]]> : tensor<2x1x1xi64>
// CHECK-NEXT:    %2 = canao.constant dense<[[[0, 1, 2]]]> : tensor<1x1x3xi64>
// CHECK-NEXT:    %3 = canao.gather %0 at %1, %m, %2 : (tensor<2x4x3xf32>, tensor<2x1x1xi64>, tensor<2x1x3xi64>, tensor<1x1x3xi64>) -> tensor<2x1x3xf32>
// CHECK-NEXT:    %4 = canao.constant dense<0> : tensor<i64>
// CHECK-NEXT:    %5 = canao.cmp "lt" %n, %4 : (tensor<2x4xi64>, tensor<i64>) -> tensor<2x4xi1>
// CHECK-NEXT:    %6 = canao.constant dense<3> : tensor<i64>
// CHECK-NEXT:    %7 = canao.add %n, %6 : (tensor<2x4xi64>, tensor<i64>) -> tensor<2x4xi64>
// CHECK-NEXT:    %8 = canao.select %5, %7, %n : (tensor<2x4xi1>, tensor<2x4xi64>, tensor<2x4xi64>) -> tensor<2x4xi64>
// CHECK-NEXT:    %9 = canao.transpose %w [1, 0] : (tensor<5x3xf32>) -> tensor<3x5xf32>
// CHECK-NEXT:    %10 = canao.gather %9 at %8 : (tensor<3x5xf32>, tensor<2x4xi64>) -> tensor<2x4x5xf32>
// CHECK-NEXT:    %11 = canao.transpose %10 [2, 0, 1] : (tensor<2x4x5xf32>) -> tensor<5x2x4xf32>
// CHECK-NEXT:    func.return %3, %11 : tensor<2x1x3xf32>, tensor<5x2x4xf32>
// CHECK-NEXT:    }
