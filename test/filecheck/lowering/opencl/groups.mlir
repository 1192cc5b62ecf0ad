// RUN: canao-opt %s -t opencl | filecheck %s

// The items of a group share an inner loop and wait for each other at its end; what one
// such loop hands to the next is in local memory. A failed check leaves its number.

func.func private @rows(%a: memref<64xf32>, %c: memref<64xf32>, %ok: memref<1xi1>) attributes {canao.kernel, canao.items = 16 : i64} {
  "affine.parallel"() <{lowerBoundsMap = affine_map<() -> (0)>, lowerBoundsGroups = dense<1> : vector<1xi32>, upperBoundsMap = affine_map<() -> (2)>, upperBoundsGroups = dense<1> : vector<1xi32>, steps = [1 : i64], reductions = []}> ({
  ^bb0(%p: index):
    %s = memref.alloca() : memref<32xf32>
    "affine.parallel"() <{lowerBoundsMap = affine_map<() -> (0)>, lowerBoundsGroups = dense<1> : vector<1xi32>, upperBoundsMap = affine_map<() -> (32)>, upperBoundsGroups = dense<1> : vector<1xi32>, steps = [1 : i64], reductions = []}> ({
    ^bb1(%i: index):
      %x = affine.load %a[%p * 32 + %i] : memref<64xf32>
      affine.store %x, %s[%i] : memref<32xf32>
      affine.yield
    }) : () -> ()
    "affine.parallel"() <{lowerBoundsMap = affine_map<() -> (0)>, lowerBoundsGroups = dense<1> : vector<1xi32>, upperBoundsMap = affine_map<() -> (32)>, upperBoundsGroups = dense<1> : vector<1xi32>, steps = [1 : i64], reductions = []}> ({
    ^bb2(%j: index):
      %y = affine.load %s[31 - %j] : memref<32xf32>
      affine.store %y, %c[%p * 32 + %j] : memref<64xf32>
      affine.yield
    }) : () -> ()
    %zero = arith.constant 0 : index
    %good = memref.load %ok[%zero] : memref<1xi1>
    cf.assert %good, "it must hold"
    affine.yield
  }) : () -> ()
  func.return
}

func.func @main(%a: memref<64xf32>, %ok: memref<1xi1>, %c: memref<64xf32>) attributes {canao.inputs = 2 : i64, canao.weights = 0 : i64, canao.outputs = 1 : i64} {
  func.call @rows(%a, %c, %ok) : (memref<64xf32>, memref<64xf32>, memref<1xi1>) -> ()
  func.return
}

// CHECK: __kernel __attribute__((reqd_work_group_size(16, 1, 1)))
// CHECK-NEXT: void rows_kernel(__global const uchar *restrict base_m1, const ulong start_m1, __global uchar *restrict base_m2, const ulong start_m2, __global const uchar *restrict base_m3, const ulong start_m3, __global uchar *restrict base_status, const ulong start_status) {
// CHECK-NEXT:   __global const float *restrict const m1 = (__global const float *)(base_m1 + start_m1);
// CHECK-NEXT:   __global float *restrict const m2 = (__global float *)(base_m2 + start_m2);
// CHECK-NEXT:   __global const unsigned char *restrict const m3 = (__global const unsigned char *)(base_m3 + start_m3);
// CHECK-NEXT:   __global volatile int *restrict const status = (__global volatile int *)(base_status + start_status);
// CHECK-NEXT:   const long task = get_group_id(0);
// CHECK:        __local float s[[S:[0-9]+]][32] __attribute__((aligned(64)));
// CHECK-NEXT:   for (long item{{[0-9]+}} = get_local_id(0); item{{[0-9]+}} < 32; item{{[0-9]+}} += get_local_size(0)) {
// CHECK:        }
// CHECK-NEXT:   barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
// CHECK-NEXT:   for (long item{{[0-9]+}} = get_local_id(0); item{{[0-9]+}} < 32; item{{[0-9]+}} += get_local_size(0)) {
// CHECK:          const float v{{[0-9]+}} = s[[S]][31 - i{{[0-9]+}}];
// CHECK:        barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
// CHECK:        canao_check(status, v{{[0-9]+}}, 1);
