// RUN: canao-opt %s -p convert-torch-to-canao | filecheck %s

func.func @creation(%a: !torch.vtensor<[4,4],f32>) -> (!torch.vtensor<[4],si64>, !torch.vtensor<[4],f32>, !torch.vtensor<[4],si64>, !torch.vtensor<[4,4],f32>) {
  %4 = "torch.constant.int"() <{value = 4 : i64}> : () -> !torch.int
  %0 = "torch.constant.int"() <{value = 0 : i64}> : () -> !torch.int
  %none = "torch.constant.none"() : () -> !torch.none
  %half = "torch.constant.float"() <{value = 5.000000e-01 : f64}> : () -> !torch.float
  %r = "torch.aten.arange"(%4, %none, %none, %none, %none) : (!torch.int, !torch.none, !torch.none, !torch.none, !torch.none) -> !torch.vtensor<[4],si64>
  %shape = "torch.prim.ListConstruct"(%4) : (!torch.int) -> !torch.list<int>
  %f = "torch.aten.full"(%shape, %half, %none, %none, %none, %none) : (!torch.list<int>, !torch.float, !torch.none, !torch.none, !torch.none, !torch.none) -> !torch.vtensor<[4],f32>
  %l = "torch.vtensor.literal"() <{value = dense<[1, 2, 3, 4]> : tensor<4xsi64>}> : () -> !torch.vtensor<[4],si64>
  %t = "torch.aten.tril"(%a, %0) : (!torch.vtensor<[4,4],f32>, !torch.int) -> !torch.vtensor<[4,4],f32>
  func.return %r, %f, %l, %t : !torch.vtensor<[4],si64>, !torch.vtensor<[4],f32>, !torch.vtensor<[4],si64>, !torch.vtensor<[4,4],f32>
}

// CHECK-LABEL: func.func @creation(%a: tensor<4x4xf32>) -> (tensor<4xi64>, tensor<4xf32>, tensor<4xi64>, tensor<4x4xf32>) {
// CHECK-NEXT:    %0 = canao.constant dense<[0, 1, 2, 3]> : tensor<4xi64>
// CHECK-NEXT:    %1 = canao.constant dense<5.000000e-01> : tensor<4xf32>
// CHECK-NEXT:    %2 = canao.constant dense<[1, 2, 3, 4]> : tensor<4xi64>
// CHECK-NEXT:    %3 = canao.constant dense<[[0], [1], [2], [3]]> : tensor<4x1xi64>
// CHECK-NEXT:    %4 = canao.constant dense<[[0, 1, 2, 3]]> : tensor<1x4xi64>
// CHECK-NEXT:    %5 = canao.cmp "le" %4, %3 : (tensor<1x4xi64>, tensor<4x1xi64>) -> tensor<4x4xi1>
// CHECK-NEXT:    %6 = canao.constant dense<0.000000e+00> : tensor<f32>
// CHECK-NEXT:    %7 = canao.select %5, %a, %6 : (tensor<4x4xi1>, tensor<4x4xf32>, tensor<f32>) -> tensor<4x4xf32>
// CHECK-NEXT:    func.return %0, %1, %2, %7 : tensor<4xi64>, tensor<4xf32>, tensor<4xi64>, tensor<4x4xf32>
// CHECK-NEXT:    }
