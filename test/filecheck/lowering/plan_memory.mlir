// RUN: canao-opt %s -p plan-memory | filecheck %s

// %a and %c are never live together and share bytes; %b lives with both. Truth
// values take a byte each, and every buffer starts at a multiple of 64.
func.func private @k(%x: memref<16xf32>, %y: memref<16xf32>) attributes {canao.kernel} {
  func.return
}
func.func private @m(%x: memref<16xf32>, %y: memref<10xi1>) attributes {canao.kernel} {
  func.return
}
func.func private @s(%x: memref<10xi1>, %y: memref<16xf32>) attributes {canao.kernel} {
  func.return
}
func.func @main(%x: memref<16xf32>, %y: memref<16xf32>) attributes {canao.inputs = 1 : i64, canao.weights = 0 : i64, canao.outputs = 1 : i64} {
  %a = memref.alloc() {alignment = 64 : i64} : memref<16xf32>
  func.call @k(%x, %a) : (memref<16xf32>, memref<16xf32>) -> ()
  %b = memref.alloc() {alignment = 64 : i64} : memref<10xi1>
  func.call @m(%a, %b) : (memref<16xf32>, memref<10xi1>) -> ()
  %c = memref.alloc() {alignment = 64 : i64} : memref<16xf32>
  func.call @s(%b, %c) : (memref<10xi1>, memref<16xf32>) -> ()
  func.call @k(%c, %y) : (memref<16xf32>, memref<16xf32>) -> ()
  func.return
}

// CHECK-LABEL: func.func @main(%x: memref<16xf32>, %y: memref<16xf32>, %0: memref<128xi8>)
// CHECK-SAME:  attributes {canao.inputs = 1 : i64, canao.weights = 0 : i64, canao.outputs = 1 : i64} {
// CHECK-NEXT:    [[AT_A:%.*]] = arith.constant 0 : index
// CHECK-NEXT:    [[A:%.*]] = memref.view %0{{\[}}[[AT_A]]{{\]}}[] : memref<128xi8> to memref<16xf32>
// CHECK-NEXT:    func.call @k(%x, [[A]])
// CHECK-NEXT:    [[AT_B:%.*]] = arith.constant 64 : index
// CHECK-NEXT:    [[B:%.*]] = memref.view %0{{\[}}[[AT_B]]{{\]}}[] : memref<128xi8> to memref<10xi1>
// CHECK-NEXT:    func.call @m([[A]], [[B]])
// CHECK-NEXT:    [[AT_C:%.*]] = arith.constant 0 : index
// CHECK-NEXT:    [[C:%.*]] = memref.view %0{{\[}}[[AT_C]]{{\]}}[] : memref<128xi8> to memref<16xf32>
// CHECK-NEXT:    func.call @s([[B]], [[C]])
// CHECK-NEXT:    func.call @k([[C]], %y)
// CHECK-NEXT:    func.return
