// RUN: canao-opt %s -p convert-torch-to-canao | filecheck %s

func.func @linear(%x: !torch.vtensor<[2,3,4],f32>) -> !torch.vtensor<[2,3,5],f32> {
  %w = canao.weight "w" : tensor<5x4xf32>
  %b = canao.weight "b" : tensor<5xf32>
  %0 = "torch.aten.linear"(%x, %w, %b) : (!torch.vtensor<[2,3,4],f32>, tensor<5x4xf32>, tensor<5xf32>) -> !torch.vtensor<[2,3,5],f32>
  func.return %0 : !torch.vtensor<[2,3,5],f32>
}

// Vectors gain a dimension for the product and lose it after.
func.func @vector(%x: !torch.vtensor<[2,3,4],f32>, %v: !torch.vtensor<[4],f32>) -> !torch.vtensor<[2,3],f32> {
  %0 = "torch.aten.matmul"(%x, %v) : (!torch.vtensor<[2,3,4],f32>, !torch.vtensor<[4],f32>) -> !torch.vtensor<[2,3],f32>
  func.return %0 : !torch.vtensor<[2,3],f32>
}

func.func @addmm(%c: !torch.vtensor<[5],f32>, %a: !torch.vtensor<[3,4],f32>, %b: !torch.vtensor<[4,5],f32>) -> !torch.vtensor<[3,5],f32> {
  %beta = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %alpha = "torch.constant.int"() <{value = 2 : i64}> : () -> !torch.int
  %0 = "torch.aten.addmm"(%c, %a, %b, %beta, %alpha) : (!torch.vtensor<[5],f32>, !torch.vtensor<[3,4],f32>, !torch.vtensor<[4,5],f32>, !torch.int, !torch.int) -> !torch.vtensor<[3,5],f32>
  func.return %0 : !torch.vtensor<[3,5],f32>
}

// CHECK-LABEL: func.func @linear(%x: tensor<2x3x4xf32>) -> tensor<2x3x5xf32> {
// CHECK-NEXT:    %w = canao.weight "w" : tensor<5x4xf32>
// CHECK-NEXT:    %b = canao.weight "b" : tensor<5xf32>
// CHECK-NEXT:    %0 = canao.transpose %w [1, 0] : (tensor<5x4xf32>) -> tensor<4x5xf32>
// CHECK-NEXT:    %1 = canao.matmul %x, %0 : (tensor<2x3x4xf32>, tensor<4x5xf32>) -> tensor<2x3x5xf32>
// CHECK-NEXT:    %2 = canao.add %1, %b : (tensor<2x3x5xf32>, tensor<5xf32>) -> tensor<2x3x5xf32>
// CHECK-NEXT:    func.return %2 : tensor<2x3x5xf32>
// CHECK-NEXT:    }
// CHECK-LABEL: func.func @vector(%x: tensor<2x3x4xf32>, %v: tensor<4xf32>) -> tensor<2x3xf32> {
// CHECK-NEXT:    %0 = canao.reshape %v : (tensor<4xf32>) -> tensor<4x1xf32>
// CHECK-NEXT:    %1 = canao.matmul %x, %0 : (tensor<2x3x4xf32>, tensor<4x1xf32>) -> tensor<2x3x1xf32>
// CHECK-NEXT:    %2 = canao.reshape %1 : (tensor<2x3x1xf32>) -> tensor<2x3xf32>
// CHECK-NEXT:    func.return %2 : tensor<2x3xf32>
// CHECK-NEXT:    }
// CHECK-LABEL: func.func @addmm(%c: tensor<5xf32>, %a: tensor<3x4xf32>, %b: tensor<4x5xf32>) -> tensor<3x5xf32> {
// CHECK-NEXT:    %0 = canao.matmul %a, %b : (tensor<3x4xf32>, tensor<4x5xf32>) -> tensor<3x5xf32>
// CHECK-NEXT:    %1 = canao.constant dense<2.000000e+00> : tensor<f32>
// CHECK-NEXT:    %2 = canao.mul %0, %1 : (tensor<3x5xf32>, tensor<f32>) -> tensor<3x5xf32>
// CHECK-NEXT:    %3 = canao.add %2, %c : (tensor<3x5xf32>, tensor<5xf32>) -> tensor<3x5xf32>
// CHECK-NEXT:    func.return %3 : tensor<3x5xf32>
// CHECK-NEXT:    }
