// RUN: canao-opt %s -p 'narrow-storage{dtype="float16"}' | filecheck %s
// RUN: canao-opt %s -p 'narrow-storage{dtype="float16"},lower-canao-to-affine' | filecheck %s --check-prefix LOOPS
// RUN: not canao-opt %s -p 'narrow-storage{dtype="float16"},lower-canao-to-affine,plan-memory' -t c 2>&1 | filecheck %s --check-prefix C

// Weights and what lies between layers; not what comes from outside or leaves, nor integers.

func.func @prepare() -> tensor<4xf32> attributes {canao.names = ["b"]} {
  %b = canao.weight "bias" : tensor<4xf32>
  func.return %b : tensor<4xf32>
}

func.func @main(%x: tensor<4xf32>, %i: tensor<2xi64>) -> (tensor<4xf32>, tensor<2xf32>) {
  %b = canao.weight "b" : tensor<4xf32>
  // CHECK: canao.layer{{.*}} attributes {canao.storage = [f32, f16, f16]} {
  %h = canao.layer(%0 = %x, %1 = %b) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> {
    %2 = canao.add %0, %1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    canao.yield %2 : tensor<4xf32>
  }
  // CHECK: canao.layer{{.*}} attributes {canao.storage = [f16, f16, f32]} {
  %y = canao.layer(%0 = %h, %1 = %b) : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> {
    %2 = canao.mul %0, %1 : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
    canao.yield %2 : tensor<4xf32>
  }
  // CHECK: canao.layer({{.*}}) : (tensor<4xf32>, tensor<2xi64>) -> tensor<2xf32> {
  %z = canao.layer(%0 = %y, %1 = %i) : (tensor<4xf32>, tensor<2xi64>) -> tensor<2xf32> {
    %2 = canao.gather %0 at %1 : (tensor<4xf32>, tensor<2xi64>) -> tensor<2xf32>
    canao.yield %2 : tensor<2xf32>
  }
  func.return %y, %z : tensor<4xf32>, tensor<2xf32>
}

// What is loaded becomes float32 at once; what is stored is kept within the range of halves.

// LOOPS:      func.func @prepare() -> tensor<4xf16>
// LOOPS:        %[[LOW:[0-9]+]] = canao.constant dense<-6.550400e+04> : tensor<f32>
// LOOPS:        %[[CLAMPED:[0-9]+]] = canao.minimum
// LOOPS:        canao.cast %[[CLAMPED]] : (tensor<4xf32>) -> tensor<4xf16>
// LOOPS:      func.func private @elementwise_add_4(%input: memref<4xf32>, %bias: memref<4xf16>, %output: memref<4xf16>)
// LOOPS:        %[[B:[0-9]+]] = affine.vector_load %bias[0] : memref<4xf16>, vector<4xf16>
// LOOPS-NEXT:   canao_vector.convert %[[B]] : vector<4xf16> to vector<4xf32>
// LOOPS:        %[[ABOVE:[0-9]+]] = arith.maximumf
// LOOPS:        %[[KEPT:[0-9]+]] = arith.minimumf %[[ABOVE]]
// LOOPS-NEXT:   %[[HALF:[0-9]+]] = canao_vector.convert %[[KEPT]] : vector<4xf32> to vector<4xf16>
// LOOPS-NEXT:   affine.vector_store %[[HALF]]
// LOOPS:      func.func @main
// LOOPS:        memref.alloc() {{.*}} : memref<4xf16>

// C: error: op 'affine.vector_load' in function '@elementwise_add_4': memory of f16 has a form in OpenCL C only
