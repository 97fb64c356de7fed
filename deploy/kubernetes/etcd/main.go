// The server of etcd. Its own module cannot be installed by its path, because it replaces modules by folders.
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
