// RUN: canao-opt %s --split-input-file --verify-diagnostics --parsing-diagnostics | filecheck %s

func.func @bad(%x: vector<8xf32>) {
  %m = canao_vector.cmp "slt" %x, %x : vector<8xf32> -> vector<8xi1>
  func.return
}

// CHECK: predicate must be one of eq, ne, lt, le, gt, ge

// -----

func.func @bad(%x: vector<8xf32>) {
  %m = canao_vector.cmp "lt" %x, %x : vector<8xf32> -> vector<4xi1>
  func.return
}

// CHECK: vector<8xf32> and vector<4xi1> must have equal lanes

// -----

func.func @bad(%x: vector<8xf32>) {
  %m = canao_vector.cmp "lt" %x, %x : vector<8xf32> -> vector<8xi32>
  func.return
}

// CHECK: Expected attribute i1

// -----

func.func @bad(%m: vector<4xi1>, %x: vector<8xf32>) {
  %s = canao_vector.select %m, %x, %x : vector<4xi1>, vector<8xf32>
  func.return
}

// CHECK: vector<4xi1> and vector<8xf32> must have equal lanes

// -----

func.func @bad(%x: vector<8xf32>) {
  %y = canao_vector.convert %x : vector<8xf32> to vector<4xf64>
  func.return
}

// CHECK: vector<8xf32> and vector<4xf64> must have equal lanes

// -----

func.func @bad(%x: vector<8xf32>) {
  %y = canao_vector.convert %x : vector<8xf32> to vector<8xi1>
  func.return
}

// CHECK: a mask is made by canao_vector.cmp "ne" with 0
