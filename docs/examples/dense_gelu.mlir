// The worked example of docs/architecture.md. A test checks that every piece of
// IR shown there stands here, and lit checks that the compiler prints it.
//
// RUN: canao-opt %s -p convert-torch-to-canao | filecheck %s --check-prefix CANAO
// RUN: canao-opt %s -p convert-torch-to-canao,canao-simplify | filecheck %s --check-prefix SIMPLE

func.func @main(%arg0: !torch.vtensor<[4,8],f32>) -> !torch.vtensor<[4,6],f32> {
  %0 = canao.weight "dense.weight" : tensor<6x8xf32>
  %1 = canao.weight "dense.bias" : tensor<6xf32>
  %2 = "torch.aten.linear"(%arg0, %0, %1) : (!torch.vtensor<[4,8],f32>, tensor<6x8xf32>, tensor<6xf32>) -> !torch.vtensor<[4,6],f32>
  %3 = "torch.constant.float"() <{value = 5.000000e-01 : f64}> : () -> !torch.float
  %4 = "torch.aten.mul.Scalar"(%2, %3) : (!torch.vtensor<[4,6],f32>, !torch.float) -> !torch.vtensor<[4,6],f32>
  %5 = "torch.constant.float"() <{value = 1.4142135623730951 : f64}> : () -> !torch.float
  %6 = "torch.aten.div.Scalar"(%2, %5) : (!torch.vtensor<[4,6],f32>, !torch.float) -> !torch.vtensor<[4,6],f32>
  %7 = "torch.aten.erf"(%6) : (!torch.vtensor<[4,6],f32>) -> !torch.vtensor<[4,6],f32>
  %8 = "torch.constant.float"() <{value = 1.000000e+00 : f64}> : () -> !torch.float
  %9 = "torch.constant.int"() <{value = 1 : i64}> : () -> !torch.int
  %10 = "torch.aten.add.Scalar"(%7, %8, %9) : (!torch.vtensor<[4,6],f32>, !torch.float, !torch.int) -> !torch.vtensor<[4,6],f32>
  %11 = "torch.aten.mul.Tensor"(%4, %10) : (!torch.vtensor<[4,6],f32>, !torch.vtensor<[4,6],f32>) -> !torch.vtensor<[4,6],f32>
  func.return %11 : !torch.vtensor<[4,6],f32>
}

// CANAO:      func.func @main(%arg0: tensor<4x8xf32>) -> tensor<4x6xf32> {
// CANAO-NEXT:   %0 = canao.weight "dense.weight" : tensor<6x8xf32>
// CANAO-NEXT:   %1 = canao.weight "dense.bias" : tensor<6xf32>
// CANAO-NEXT:   %2 = canao.transpose %0 [1, 0] : (tensor<6x8xf32>) -> tensor<8x6xf32>
// CANAO-NEXT:   %3 = canao.matmul %arg0, %2 : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// CANAO-NEXT:   %4 = canao.add %3, %1 : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
// CANAO-NEXT:   %5 = canao.constant dense<5.000000e-01> : tensor<f32>
// CANAO-NEXT:   %6 = canao.mul %4, %5 : (tensor<4x6xf32>, tensor<f32>) -> tensor<4x6xf32>
// CANAO-NEXT:   %7 = canao.constant dense<1.41421354> : tensor<f32>
// CANAO-NEXT:   %8 = canao.div %4, %7 : (tensor<4x6xf32>, tensor<f32>) -> tensor<4x6xf32>
// CANAO-NEXT:   %9 = canao.erf %8 : (tensor<4x6xf32>) -> tensor<4x6xf32>
// CANAO-NEXT:   %10 = canao.constant dense<1.000000e+00> : tensor<f32>
// CANAO-NEXT:   %11 = canao.add %9, %10 : (tensor<4x6xf32>, tensor<f32>) -> tensor<4x6xf32>
// CANAO-NEXT:   %12 = canao.mul %6, %11 : (tensor<4x6xf32>, tensor<4x6xf32>) -> tensor<4x6xf32>
// CANAO-NEXT:   func.return %12 : tensor<4x6xf32>

// SIMPLE:      %2 = canao.transpose %0 [1, 0] : (tensor<6x8xf32>) -> tensor<8x6xf32>
// SIMPLE-NEXT: %3 = canao.matmul %arg0, %2 : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// SIMPLE-NEXT: %4 = canao.add %3, %1 : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
// SIMPLE-NEXT: %5 = canao.gelu %4 approximate "none" : (tensor<4x6xf32>) -> tensor<4x6xf32>
// SIMPLE-NEXT: func.return %5 : tensor<4x6xf32>
