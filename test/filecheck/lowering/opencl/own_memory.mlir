// RUN: canao-opt %s -t opencl | filecheck %s

// Memory of which each item has a part of its own is private, and a loop that touches
// nothing else of what items write does not make them wait. Where there are as many
// iterations as items, each has one and there is no loop.

func.func private @twice(%a: memref<32xf32>, %c: memref<32xf32>) attributes {canao.kernel, canao.items = 8 : i64} {
  "affine.parallel"() <{lowerBoundsMap = affine_map<() -> (0)>, lowerBoundsGroups = dense<1> : vector<1xi32>, upperBoundsMap = affine_map<() -> (1)>, upperBoundsGroups = dense<1> : vector<1xi32>, steps = [1 : i64], reductions = []}> ({
  ^bb0(%p: index):
    %s = memref.alloca() {canao.own = 4 : i64} : memref<32xf32>
    "affine.parallel"() <{lowerBoundsMap = affine_map<() -> (0, 0)>, lowerBoundsGroups = dense<1> : vector<2xi32>, upperBoundsMap = affine_map<() -> (2, 4)>, upperBoundsGroups = dense<1> : vector<2xi32>, steps = [1 : i64, 1 : i64], reductions = []}> ({
    ^bb1(%i: index, %j: index):
      %x = affine.vector_load %a[%i * 16 + %j * 4] : memref<32xf32>, vector<4xf32>
      affine.vector_store %x, %s[%i * 16 + %j * 4] : memref<32xf32>, vector<4xf32>
      affine.yield
    }) : () -> ()
    "affine.parallel"() <{lowerBoundsMap = affine_map<() -> (0)>, lowerBoundsGroups = dense<1> : vector<1xi32>, upperBoundsMap = affine_map<() -> (6)>, upperBoundsGroups = dense<1> : vector<1xi32>, steps = [1 : i64], reductions = []}> ({
    ^bb2(%k: index):
      %y = affine.load %s[%k * 4 + 2] : memref<32xf32>
      affine.store %y, %c[%k] : memref<32xf32>
      affine.yield
    }) : () -> ()
    affine.yield
  }) : () -> ()
  func.return
}

func.func @main(%a: memref<32xf32>, %c: memref<32xf32>) attributes {canao.inputs = 1 : i64, canao.weights = 0 : i64, canao.outputs = 1 : i64} {
  func.call @twice(%a, %c) : (memref<32xf32>, memref<32xf32>) -> ()
  func.return
}

// CHECK:        __private float [[S:s[0-9]+]][4] __attribute__((aligned(16)));
// CHECK-NEXT:   {
// CHECK-NEXT:     const long [[N:item[0-9]+]] = get_local_id(0);
// CHECK-NEXT:     const long [[I:i[0-9]+]] = [[N]] / 4;
// CHECK-NEXT:     const long [[J:i[0-9]+]] = [[N]] % 4;
// CHECK-NEXT:     const f32x4 [[X:v[0-9]+]] = {{.*}}m1 + [[I]] * 16 + [[J]] * 4);
// CHECK-NEXT:     {{.*}}__private {{.*}}([[S]]){{.*}} = [[X]];
// CHECK-NEXT:   }
// CHECK-NEXT:   for (long [[K:item[0-9]+]] = get_local_id(0); [[K]] < 6; [[K]] += get_local_size(0)) {
// CHECK:          const float {{v[0-9]+}} = [[S]][2];
// CHECK:        barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
