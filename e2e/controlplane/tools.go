//go:build tools

// Package controlplane pins the programs that the end-to-end tests run: nothing here is compiled into Ironside.
//
// The imports exist only so that `go mod tidy` keeps the modules; the harness builds each program by its import path.
package controlplane

import (
	_ "go.etcd.io/etcd/server/v3"
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
	_ "k8s.io/kubernetes/cmd/kubectl"
	_ "sigs.k8s.io/kwok/cmd/kwok"
)
