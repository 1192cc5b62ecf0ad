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
// CHECK-LABEL: func.func private @kernel_0(%0: memref<10xf32>, %1: memref<80xf32>, %2: memref<32xf32>) attributes {canao.kernel
// CHECK-NEXT:    "affine.parallel"() <{reductions = [], lowerBoundsMap = affine_map<() -> (0, 0)>, lowerBoundsGroups = dense<1> : tensor<2xi32>, upperBoundsMap = affine_map<() -> (1, 1)>, upperBoundsGroups = dense<1> : tensor<2xi32>, steps = [1 : i64, 1 : i64]}> ({
// CHECK-NEXT:    ^bb0(%3: index, %4: index):
// CHECK-NEXT:      %5 = arith.constant dense<0.000000e+00> : vector<8xf32>
// CHECK-NEXT:      %6 = arith.constant dense<0.000000e+00> : vector<8xf32>
// CHECK-NEXT:      %7 = arith.constant dense<0.000000e+00> : vector<8xf32>
// CHECK-NEXT:      %8 = arith.constant dense<0.000000e+00> : vector<8xf32>
// CHECK-NEXT:      %9, %10, %11, %12 = affine.for %13 = 0 to 5 iter_args(%14 = %5, %15 = %6, %16 = %7, %17 = %8) -> (vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>) {
// CHECK-NEXT:        %18 = affine.vector_load %1[%13 * 16] : memref<80xf32>, vector<8xf32>
// CHECK-NEXT:        %19 = canao_vector.keep %18 : vector<8xf32>
// CHECK-NEXT:        %20 = affine.vector_load %1[%13 * 16 + 8] : memref<80xf32>, vector<8xf32>
// CHECK-NEXT:        %21 = canao_vector.keep %20 : vector<8xf32>
// CHECK-NEXT:        %22 = affine.load %0[%13] : memref<10xf32>
// CHECK-NEXT:        %23 = vector.broadcast %22 : f32 to vector<8xf32>
// CHECK-NEXT:        %24 = vector.fma %23, %19, %14 : vector<8xf32>
// CHECK-NEXT:        %25 = canao_vector.in_order %24 : vector<8xf32>
// CHECK-NEXT:        %26 = vector.fma %23, %21, %15 : vector<8xf32>
// CHECK-NEXT:        %27 = canao_vector.in_order %26 : vector<8xf32>
// CHECK-NEXT:        %28 = affine.load %0[%13 + 5] : memref<10xf32>
// CHECK-NEXT:        %29 = vector.broadcast %28 : f32 to vector<8xf32>
// CHECK-NEXT:        %30 = vector.fma %29, %19, %16 : vector<8xf32>
// CHECK-NEXT:        %31 = canao_vector.in_order %30 : vector<8xf32>
// CHECK-NEXT:        %32 = vector.fma %29, %21, %17 : vector<8xf32>
// CHECK-NEXT:        %33 = canao_vector.in_order %32 : vector<8xf32>
// CHECK-NEXT:        "canao_memory.compiler_fence"(%19, %21) : (vector<8xf32>, vector<8xf32>) -> ()
// CHECK-NEXT:        affine.yield %25, %27, %31, %33 : vector<8xf32>, vector<8xf32>, vector<8xf32>, vector<8xf32>
// CHECK-NEXT:      }
// CHECK-NEXT:      affine.vector_store %9, %2[0] : memref<32xf32>, vector<8xf32>
// CHECK-NEXT:      affine.vector_store %10, %2[8] : memref<32xf32>, vector<8xf32>
// CHECK-NEXT:      affine.vector_store %11, %2[16] : memref<32xf32>, vector<8xf32>
// CHECK-NEXT:      affine.vector_store %12, %2[24] : memref<32xf32>, vector<8xf32>
// CHECK-NEXT:      affine.yield
// CHECK-NEXT:    }) : () -> ()
// CHECK-NEXT:    func.return
// CHECK-LABEL: func.func @main(%0: memref<10xf32>, %1: memref<80xf32>, %2: memref<32xf32>) attributes {canao.inputs = 1 : i64, canao.weights = 1 : i64, canao.outputs = 1 : i64} {
// CHECK-NEXT:    func.call @kernel_0(%0, %1, %2) : (memref<10xf32>, memref<80xf32>, memref<32xf32>) -> ()
// CHECK-NEXT:    func.return
