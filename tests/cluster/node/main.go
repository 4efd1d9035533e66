// Command node holds every part of a small Kubernetes cluster in one program:
//
//	node etcd|kube-apiserver|kube-controller-manager|kube-scheduler|kubelet|kube-proxy [flags]
//
// One program instead of six shares the libraries that they all carry, which
// makes it build and load faster.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

var parts = map[string]func() *cobra.Command{
	"kube-apiserver":          apiserver.NewAPIServerCommand,
	"kube-controller-manager": manager.NewControllerManagerCommand,
	"kube-proxy":              proxy.NewProxyCommand,
	"kube-scheduler":          func() *cobra.Command { return scheduler.NewSchedulerCommand() },
	"kubelet":                 func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) },
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: node PART [flags]")
		os.Exit(2)
	}
	args := os.Args[1:]
	switch args[0] {
	case "etcd":
		etcdmain.Main(args)
	default:
		create, known := parts[args[0]]
		if !known {
			fmt.Fprintf(os.Stderr, "node: no part is called %q\n", args[0])
			os.Exit(2)
		}
		os.Args = args
		os.Exit(cli.Run(create()))
	}
}
