// RUN: not canao-opt %s 2>&1 | filecheck %s
// RUN: canao-opt %s --allow-unregistered-dialect | filecheck %s --check-prefix ALLOWED

"toy.print"() : () -> ()

// CHECK:   unregistered.mlir:4:12: error: {{.*}}toy.print{{.*}}
// ALLOWED: "toy.print"() : () -> ()
