// RUN: not canao-opt %s -t opencl 2>&1 | filecheck %s

// An item may only reach its own part.

func.func private @neighbour(%c: memref<8xf32>) attributes {canao.kernel, canao.items = 8 : i64} {
  "affine.parallel"() <{lowerBoundsMap = affine_map<() -> (0)>, lowerBoundsGroups = dense<1> : vector<1xi32>, upperBoundsMap = affine_map<() -> (1)>, upperBoundsGroups = dense<1> : vector<1xi32>, steps = [1 : i64], reductions = []}> ({
  ^bb0(%p: index):
    %s = memref.alloca() {canao.own = 4 : i64} : memref<32xf32>
    "affine.parallel"() <{lowerBoundsMap = affine_map<() -> (0)>, lowerBoundsGroups = dense<1> : vector<1xi32>, upperBoundsMap = affine_map<() -> (8)>, upperBoundsGroups = dense<1> : vector<1xi32>, steps = [1 : i64], reductions = []}> ({
    ^bb1(%i: index):
      %x = affine.load %s[%i * 4 + 4] : memref<32xf32>
      affine.store %x, %c[%i] : memref<8xf32>
      affine.yield
    }) : () -> ()
    affine.yield
  }) : () -> ()
  func.return
}

func.func @main(%c: memref<8xf32>) attributes {canao.inputs = 0 : i64, canao.weights = 0 : i64, canao.outputs = 1 : i64} {
  func.call @neighbour(%c) : (memref<8xf32>) -> ()
  func.return
}

// CHECK: op 'affine.load' in function '@neighbour': an item that reaches {{.*}}, not in its own 4 elements
