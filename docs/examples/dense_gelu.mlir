// The worked example of docs/architecture.md. A test checks that every piece of
// IR shown there stands here, and lit checks that the compiler prints it.
//
// RUN: canao-opt %s -p convert-torch-to-canao | filecheck %s --check-prefix CANAO
// RUN: canao-opt %s -p convert-torch-to-canao,canao-simplify | filecheck %s --check-prefix SIMPLE
// RUN: canao-opt %s -p convert-torch-to-canao,canao-simplify,lp-fusion | filecheck %s --check-prefix FUSED
// RUN: canao-opt %s -p convert-torch-to-canao,canao-simplify,lp-fusion,outline-weights | filecheck %s --check-prefix OUTLINED
// RUN: canao-opt %s -p convert-torch-to-canao,canao-simplify,lp-fusion,outline-weights,name-layers,expand-composites,lower-canao-to-affine,approximate-math,plan-memory | filecheck %s --check-prefix LOWERED
// RUN: canao-opt %s -p convert-torch-to-canao,canao-simplify,lp-fusion,outline-weights,name-layers,expand-composites,lower-canao-to-affine,approximate-math,plan-memory -t c | filecheck %s --check-prefix EMITTED

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

// FUSED:      %3 = canao.layer(%4 = %arg0, %5 = %2, %6 = %1) : (tensor<4x8xf32>, tensor<8x6xf32>, tensor<6xf32>) -> tensor<4x6xf32> {
// FUSED-NEXT:   %7 = canao.matmul %4, %5 : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
// FUSED-NEXT:   %8 = canao.add %7, %6 : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
// FUSED-NEXT:   %9 = canao.gelu %8 approximate "none" : (tensor<4x6xf32>) -> tensor<4x6xf32>
// FUSED-NEXT:   canao.yield %9 : tensor<4x6xf32>
// FUSED-NEXT: }

// OUTLINED:      func.func @prepare() -> (tensor<8x6xf32>, tensor<6xf32>) attributes {canao.names = ["prepared.0", "prepared.1"]} {
// OUTLINED-NEXT:   %0 = canao.weight "dense.weight" : tensor<6x8xf32>
// OUTLINED-NEXT:   %1 = canao.weight "dense.bias" : tensor<6xf32>
// OUTLINED-NEXT:   %2 = canao.transpose %0 [1, 0] : (tensor<6x8xf32>) -> tensor<8x6xf32>
// OUTLINED-NEXT:   func.return %2, %1 : tensor<8x6xf32>, tensor<6xf32>
// OUTLINED-NEXT: }

// LOWERED:      %3 = canao.pack %2 panel 4 : (tensor<8x6xf32>) -> tensor<2x8x4xf32>
// LOWERED:      %sum0, %sum1, %sum2, %sum3 = affine.for %term = 0 to 8 iter_args(%4 = %0, %5 = %1, %6 = %2, %7 = %3) -> (vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>) {
// LOWERED-NEXT:   %8 = affine.load %input[%term] : memref<32xf32>
// LOWERED-NEXT:   %9 = affine.vector_load %packed_weight[%term * 4] : memref<64xf32>, vector<4xf32>
// LOWERED-NEXT:   %10 = vector.broadcast %8 : f32 to vector<4xf32>
// LOWERED-NEXT:   %11 = vector.fma %10, %9, %4 : vector<4xf32>

// EMITTED:      for (long term = 0; term < 8; ++term) {
// EMITTED-NEXT:   const float x1 = input[term];
// EMITTED-NEXT:   const f32x4 w1 = *(const f32x4_mem *)(packed_weight + term * 4);
// EMITTED-NEXT:   const f32x4 t5 = canao_splat_f32x4(x1);
// EMITTED-NEXT:   sum0 = t5 * w1 + sum0;
