// RUN: canao-opt %s | filecheck %s
// RUN: not canao-opt %s --split-input-file -p cse -o /nowhere/at/all 2>&1 | filecheck %s --check-prefix OUTPUT

// Operations and types of torch are taken as they come; other unknown ones are errors.
func.func @main(%a: !torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32> {
  %b = "torch.aten.tanh"(%a) : (!torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32>
  func.return %b : !torch.vtensor<[2],f32>
}

// CHECK:  "torch.aten.tanh"(%a) : (!torch.vtensor<[2],f32>) -> !torch.vtensor<[2],f32>
// OUTPUT: canao-opt: error: cannot open '/nowhere/at/all': No such file or directory
