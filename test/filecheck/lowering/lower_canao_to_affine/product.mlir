// RUN: canao-opt %s -p lp-fusion,outline-weights,lower-canao-to-affine{features="avx2","fma"} | filecheck %s

// The weight is packed into panels when the model is loaded. A register tile has
// an accumulator a row and vector, carried through the loop over the terms. What is
// loaded of the weight stays in registers to the end of a term.
func.func @main(%x: tensor<2x5xf32>) -> tensor<2x16xf32> {
  %w = canao.weight "w" : tensor<5x16xf32>
  %y = canao.matmul %x, %w : (tensor<2x5xf32>, tensor<5x16xf32>) -> tensor<2x16xf32>
  func.return %y : tensor<2x16xf32>
}

// CHECK-LABEL: func.func @prepare() -> tensor<1x5x16xf32> attributes {canao.names = ["prepared.0:16"]} {
// CHECK-NEXT:    %w = canao.weight "w" : tensor<5x16xf32>
// CHECK-NEXT:    %0 = canao.pack %w panel 16 : (tensor<5x16xf32>) -> tensor<1x5x16xf32>
// CHECK-NEXT:    func.return %0 : tensor<1x5x16xf32>
// CHECK-LABEL: func.func private @linear_5x16(%input: memref<10xf32>, %packed_weight: memref<80xf32>, %output: memref<32xf32>) attributes {canao.kernel
// CHECK-NEXT:    "affine.parallel"() <{reductions = [], lowerBoundsMap = affine_map<() -> (0, 0)>, lowerBoundsGroups = dense<1> : tensor<2xi32>, upperBoundsMap = affine_map<() -> (1, 1)>, upperBoundsGroups = dense<1> : tensor<2xi32>, steps = [1 : i64, 1 : i64]}> ({
// CHECK-NEXT:    ^bb0(%row_block: index, %column_block: index):
// CHECK-NEXT:      %0 = arith.constant dense<0.000000e+00> : vector<8xf32>
// CHECK-NEXT:      %1 = arith.constant dense<0.000000e+00> : vector<8xf32>
// CHECK-NEXT:      %2 = arith.constant dense<0.000000e+00> : vector<8xf32>
// CHECK-NEXT:      %3 = arith.constant dense<0.000000e+00> : vector<8xf32>
// CHECK-NEXT:      %sum0.0, %sum0.1, %sum1.0, %sum1.1 = affine.for %term = 0 to 5 iter_args(%4 = %0, %5 = %1, %6 = %2, %7 = %3) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>) {
// CHECK-NEXT:        %8 = affine.vector_load %packed_weight[%term * 16] : memref<80xf32>, vector<8xf32>
// CHECK-NEXT:        %9 = canao_vector.keep %8 : vector<8xf32>
// CHECK-NEXT:        %10 = affine.vector_load %packed_weight[%term * 16 + 8] : memref<80xf32>, vector<8xf32>
// CHECK-NEXT:        %11 = canao_vector.keep %10 : vector<8xf32>
// CHECK-NEXT:        %12 = affine.load %input[%term] : memref<10xf32>
// CHECK-NEXT:        %13 = vector.broadcast %12 : f32 to vector<8xf32>
// CHECK-NEXT:        %14 = vector.fma %13, %9, %4 : vector<8xf32>
// CHECK-NEXT:        %15 = canao_vector.in_order %14 : vector<8xf32>
// CHECK-NEXT:        %16 = vector.fma %13, %11, %5 : vector<8xf32>
// CHECK-NEXT:        %17 = canao_vector.in_order %16 : vector<8xf32>
// CHECK-NEXT:        %18 = affine.load %input[%term + 5] : memref<10xf32>
// CHECK-NEXT:        %19 = vector.broadcast %18 : f32 to vector<8xf32>
// CHECK-NEXT:        %20 = vector.fma %19, %9, %6 : vector<8xf32>
// CHECK-NEXT:        %21 = canao_vector.in_order %20 : vector<8xf32>
// CHECK-NEXT:        %22 = vector.fma %19, %11, %7 : vector<8xf32>
// CHECK-NEXT:        %23 = canao_vector.in_order %22 : vector<8xf32>
// CHECK-NEXT:        "canao_memory.compiler_fence"(%9, %11) : (vector<8xf32>, vector<8xf32>) -> ()
// CHECK-NEXT:        affine.yield %15, %17, %21, %23 : vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>
// CHECK-NEXT:      }
// CHECK-NEXT:      affine.vector_store %sum0.0, %output[0] : memref<32xf32>, vector<8xf32>
// CHECK-NEXT:      affine.vector_store %sum0.1, %output[8] : memref<32xf32>, vector<8xf32>
// CHECK-NEXT:      affine.vector_store %sum1.0, %output[16] : memref<32xf32>, vector<8xf32>
// CHECK-NEXT:      affine.vector_store %sum1.1, %output[24] : memref<32xf32>, vector<8xf32>
// CHECK-NEXT:      affine.yield
// CHECK-NEXT:    }) : () -> ()
// CHECK-NEXT:    func.return
// CHECK-LABEL: func.func @main(%0: memref<10xf32>, %1: memref<80xf32>, %2: memref<32xf32>) attributes {canao.inputs = 1 : i64, canao.weights = 1 : i64, canao.outputs = 1 : i64} {
// CHECK-NEXT:    func.call @linear_5x16(%0, %1, %2) : (memref<10xf32>, memref<80xf32>, memref<32xf32>) -> ()
// CHECK-NEXT:    func.return
