// RUN: canao-opt %s -p lp-fusion,outline-weights,lower-canao-to-affine{features="avx2","fma"} | filecheck %s

// 768 terms are summed in two blocks of 384; the sums of the first wait in the
// target. Every fourth term the line is fetched that the next block needs.
func.func @main(%x: tensor<1x768xf32>) -> tensor<1x16xf32> {
  %w = canao.weight "w" : tensor<768x16xf32>
  %y = canao.matmul %x, %w : (tensor<1x768xf32>, tensor<768x16xf32>) -> tensor<1x16xf32>
  func.return %y : tensor<1x16xf32>
}

// CHECK-LABEL: func.func private @kernel_0
// CHECK:      %7, %8 = affine.for %9 = 0 to 96
// CHECK-NEXT: "canao_memory.prefetch"(%1, %9) <{map = affine_map<(d0) -> (((d0 * 64) + 6144))>, locality = 2 : i32}>
// CHECK:      affine.vector_store %7, %2[0] : memref<16xf32>, vector<8xf32>
// CHECK:      affine.for %40 = 0 to 96
// CHECK-NEXT: "canao_memory.prefetch"(%1, %40) <{map = affine_map<(d0) -> (((d0 * 64) + 12288))>, locality = 2 : i32}>
// CHECK:      affine.vector_load %2[0] : memref<16xf32>, vector<8xf32>
// CHECK:      arith.addf
// CHECK:      affine.vector_store
