// RUN: canao-opt %s -p cse | filecheck %s
// RUN: canao-opt - -p cse < %s | filecheck %s
// RUN: canao-opt %s -p cse --print-ir-after-all 2>&1 >/dev/null | filecheck %s --check-prefix STAGES

func.func @twice(%a: tensor<4xf32>) -> tensor<4xf32> {
  %b = canao.exp %a : (tensor<4xf32>) -> tensor<4xf32>
  %c = canao.exp %a : (tensor<4xf32>) -> tensor<4xf32>
  %d = canao.add %b, %c : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32>
  func.return %d : tensor<4xf32>
}

// CHECK:       func.func @twice
// CHECK-NEXT:    %b = canao.exp %a
// CHECK-NEXT:    %d = canao.add %b, %b
// CHECK-NEXT:    func.return %d

// STAGES:      IR as read
// STAGES:      canao.exp
// STAGES-NEXT: canao.exp
// STAGES:      IR after cse
// STAGES:      canao.exp
// STAGES-NEXT: canao.add
