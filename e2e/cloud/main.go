// Command cloud-controller-manager is what a provider of clouds builds around k8s.io/cloud-provider, for a cloud that has nothing: its flags, its server and its
// controllers are those of every such program.
package main

import (
	"io"
	"os"

	"k8s.io/apimachinery/pkg/util/wait"
	cloudprovider "k8s.io/cloud-provider"
	"k8s.io/cloud-provider/app"
	"k8s.io/cloud-provider/app/config"
	"k8s.io/cloud-provider/fake"
	"k8s.io/cloud-provider/names"
	"k8s.io/cloud-provider/options"
	"k8s.io/component-base/cli"
	"k8s.io/component-base/cli/flag"
)

const provider = "nowhere"

func init() {
	cloudprovider.RegisterCloudProvider(provider, func(io.Reader) (cloudprovider.Interface, error) {
		return &fake.Cloud{}, nil
	})
}

func main() {
	flags, err := options.NewCloudControllerManagerOptions()
	if err != nil {
		panic(err)
	}
	command := app.NewCloudControllerManagerCommand(flags, connect, app.DefaultInitFuncConstructors, names.CCMControllerAliases(), flag.NamedFlagSets{}, wait.NeverStop)
	os.Exit(cli.Run(command))
}

func connect(config *config.CompletedConfig) cloudprovider.Interface {
	settings := config.ComponentConfig.KubeCloudShared.CloudProvider
	cloud, err := cloudprovider.InitCloudProvider(settings.Name, settings.CloudConfigFile)
	if err != nil || cloud == nil {
		panic("start it with --cloud-provider=" + provider)
	}
	return cloud
}
