// RUN: canao-opt %s --split-input-file --verify-diagnostics | filecheck %s

func.func @map(%m: memref<8xf32>, %i: index) {
  "canao_memory.prefetch"(%m, %i) <{map = affine_map<(d0, d1) -> (d0 + d1)>, locality = 3 : i32}> : (memref<8xf32>, index) -> ()
  func.return
}
// CHECK: the map (d0, d1) -> ((d0 + d1)) must take 1 indices to one place in memref<8xf32>

// -----

func.func @locality(%m: memref<8xf32>, %i: index) {
  "canao_memory.prefetch"(%m, %i) <{map = affine_map<(d0) -> (d0)>, locality = 7 : i32}> : (memref<8xf32>, index) -> ()
  func.return
}
// CHECK: locality must be one of [2, 3]
