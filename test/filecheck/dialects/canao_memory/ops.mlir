// RUN: canao-opt %s | canao-opt | filecheck %s
// RUN: canao-opt %s --print-op-generic | canao-opt | filecheck %s

func.func @ops(%m: memref<8xf32>, %i: index, %x: vector<8xf32>, %y: vector<8xf32>) {
  "canao_memory.prefetch"(%m, %i) <{map = affine_map<(d0) -> (d0 + 64)>, locality = 3 : i32}> : (memref<8xf32>, index) -> ()
  "canao_memory.prefetch"(%m, %i) <{map = affine_map<(d0) -> (d0)>, locality = 3 : i32, is_write}> : (memref<8xf32>, index) -> ()
  "canao_memory.compiler_fence"(%x, %y) : (vector<8xf32>, vector<8xf32>) -> ()
  "canao_memory.compiler_fence"() : () -> ()
  func.return
}

// CHECK-LABEL: @ops
// CHECK:      "canao_memory.prefetch"(%m, %i) <{map = affine_map<(d0) -> ((d0 + 64))>, locality = 3 : i32}> : (memref<8xf32>, index) -> ()
// CHECK-NEXT: "canao_memory.prefetch"(%m, %i) <{map = affine_map<(d0) -> (d0)>, locality = 3 : i32, is_write}> : (memref<8xf32>, index) -> ()
// CHECK-NEXT: "canao_memory.compiler_fence"(%x, %y) : (vector<8xf32>, vector<8xf32>) -> ()
// CHECK-NEXT: "canao_memory.compiler_fence"() : () -> ()
