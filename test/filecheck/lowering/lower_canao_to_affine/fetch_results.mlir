// RUN: canao-opt %s -p lp-fusion,outline-weights,lower-canao-to-affine{features="avx2","fma"} | filecheck %s

// A result of 1 MiB is in no cache of a core. A tile of 4 rows and 24 columns asks for its lines
// before it adds up 128 terms, one line for 16 columns; the weight is fetched a few elements a trip.
func.func @main(%x: tensor<256x128xf32>) -> tensor<256x1024xf32> {
  %w = canao.weight "w" : tensor<128x1024xf32>
  %y = canao.matmul %x, %w : (tensor<256x128xf32>, tensor<128x1024xf32>) -> tensor<256x1024xf32>
  func.return %y : tensor<256x1024xf32>
}

// CHECK-LABEL: func.func private @linear_128x1024
// CHECK:      affine.for %row_tile
// CHECK-NEXT: "canao_memory.prefetch"(%output, {{.*}} + (d2 * 4096)))>, locality = 3 : i32, is_write}>
// CHECK-NEXT: "canao_memory.prefetch"(%output, {{.*}} + (d2 * 4096)) + 16))>, locality = 3 : i32, is_write}>
// CHECK-NEXT: "canao_memory.prefetch"(%output, {{.*}} + (d2 * 4096)) + 1024))>, locality = 3 : i32, is_write}>
// CHECK-NOT:  + 1032
// CHECK:      affine.for %term_tile = 0 to 32
// CHECK-NEXT: "canao_memory.prefetch"(%packed_weight, {{.*}} (d1 * 96)) + (d2 * 3)) + 3072))>
