// RUN: canao-opt %s -p convert-torch-to-canao | filecheck %s

func.func @shapes(%a: !torch.vtensor<[2,3,4],f32>) -> (!torch.vtensor<[2,12],f32>, !torch.vtensor<[2,4,3],f32>, !torch.vtensor<[2,2,4],f32>, !torch.vtensor<[2,4],f32>, !torch.vtensor<[2,1,4],f32>) {
  %0 = "torch.constant.int"() <{value = 0 : i64}> : () -> !torch.int
  %1 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %2 = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %m1 = "torch.constant.int"() <{value = -1 : i64}> : () -> !torch.int
  %100 = "torch.constant.int"() <{value = 100 : i64}> : () -> !torch.int
  %shape = "torch.prim.ListConstruct"(%2, %m1) : (!torch.int, !torch.int) -> !torch.list<int>
  %v = "torch.aten.view"(%a, %shape) : (!torch.vtensor<[2,3,4],f32>, !torch.list<int>) -> !torch.vtensor<[2,12],f32>
  %t = "torch.aten.transpose.int"(%a, %1, %m1) : (!torch.vtensor<[2,3,4],f32>, !torch.int, !torch.int) -> !torch.vtensor<[2,4,3],f32>
  %s = "torch.aten.slice.Tensor"(%a, %1, %1, %100, %1) : (!torch.vtensor<[2,3,4],f32>, !torch.int, !torch.int, !torch.int, !torch.int) -> !torch.vtensor<[2,2,4],f32>
  %p = "torch.aten.select.int"(%a, %1, %m1) : (!torch.vtensor<[2,3,4],f32>, !torch.int, !torch.int) -> !torch.vtensor<[2,4],f32>
  %l = "torch.aten.split.Tensor"(%a, %2, %1) : (!torch.vtensor<[2,3,4],f32>, !torch.int, !torch.int) -> !torch.list<vtensor>
  %l0, %l1 = "torch.prim.ListUnpack"(%l) : (!torch.list<vtensor>) -> (!torch.vtensor<[2,2,4],f32>, !torch.vtensor<[2,1,4],f32>)
  func.return %v, %t, %s, %p, %l1 : !torch.vtensor<[2,12],f32>, !torch.vtensor<[2,4,3],f32>, !torch.vtensor<[2,2,4],f32>, !torch.vtensor<[2,4],f32>, !torch.vtensor<[2,1,4],f32>
}

// CHECK-LABEL: func.func @shapes(%a: tensor<2x3x4xf32>) -> (tensor<2x12xf32>, tensor<2x4x3xf32>, tensor<2x2x4xf32>, tensor<2x4xf32>, tensor<2x1x4xf32>) {
// CHECK-NEXT:    %0 = canao.reshape %a : (tensor<2x3x4xf32>) -> tensor<2x12xf32>
// CHECK-NEXT:    %1 = canao.transpose %a [0, 2, 1] : (tensor<2x3x4xf32>) -> tensor<2x4x3xf32>
// CHECK-NEXT:    %2 = canao.slice %a starts [0, 1, 0] steps [1, 1, 1] : (tensor<2x3x4xf32>) -> tensor<2x2x4xf32>
// CHECK-NEXT:    %3 = canao.slice %a starts [0, 2, 0] steps [1, 1, 1] : (tensor<2x3x4xf32>) -> tensor<2x1x4xf32>
// CHECK-NEXT:    %4 = canao.reshape %3 : (tensor<2x1x4xf32>) -> tensor<2x4xf32>
// CHECK-NEXT:    %5 = canao.slice %a starts [0, 0, 0] steps [1, 1, 1] : (tensor<2x3x4xf32>) -> tensor<2x2x4xf32>
// CHECK-NEXT:    %6 = canao.slice %a starts [0, 2, 0] steps [1, 1, 1] : (tensor<2x3x4xf32>) -> tensor<2x1x4xf32>
// CHECK-NEXT:    func.return %0, %1, %2, %4, %6 : tensor<2x12xf32>, tensor<2x4x3xf32>, tensor<2x2x4xf32>, tensor<2x4xf32>, tensor<2x1x4xf32>
// CHECK-NEXT:    }
