// RUN: canao-opt %s -p lp-fusion,outline-weights,lower-canao-to-affine{features="avx2","fma"} | filecheck %s

// 512 terms are summed in two blocks of 256; the sums of the first wait in the
// target. One tile reads the weight as a stream, and fetches it 64 terms ahead.
func.func @main(%x: tensor<1x512xf32>) -> tensor<1x24xf32> {
  %w = canao.weight "w" : tensor<512x24xf32>
  %y = canao.matmul %x, %w : (tensor<1x512xf32>, tensor<512x24xf32>) -> tensor<1x24xf32>
  func.return %y : tensor<1x24xf32>
}

// CHECK-LABEL: func.func private @linear_512x24
// CHECK:      %sum0, %sum1, %sum2 = affine.for %term_tile = 0 to 64
// CHECK-NEXT: "canao_memory.prefetch"(%packed_weight, %term_tile) <{map = affine_map<(d0) -> (((d0 * 96) + 1536))>, locality = 3 : i32}>
// CHECK:      affine.vector_store %sum0, %output[0] : memref<24xf32>, vector<8xf32>
// CHECK:      affine.for
// CHECK-NEXT: "canao_memory.prefetch"(%packed_weight, %{{.*}}) <{map = affine_map<(d0) -> (((d0 * 96) + 7680))>, locality = 3 : i32}>
// CHECK:      affine.vector_load %output[0] : memref<24xf32>, vector<8xf32>
// CHECK:      arith.addf
// CHECK:      affine.vector_store
