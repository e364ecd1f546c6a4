"""The contenders, each as an expert of its framework would write it; see `bench.worker.Peer`."""
