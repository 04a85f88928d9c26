package main

import (
	"context"
	"testing"
	"time"

	"tailscale.com/ipn"
	"tailscale.com/tailcfg"
)

func TestANodeIsToldToUseTheRelayAlone(t *testing.T) {
	t.Chdir(t.TempDir())
	net, err := begin("", "http://10.0.2.100:9911", "10.0.2.100:3443")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	watcher, err := net.local.WatchIPNBus(ctx, ipn.NotifyInitialNetMap|ipn.NotifyNoPrivateKeys)
	if err != nil {
		t.Fatal(err)
	}
	defer watcher.Close()
	for {
		notice, err := watcher.Next()
		if err != nil {
			t.Fatal("nobody told it: ", err)
		}
		if notice.NetMap != nil && notice.NetMap.HasCap(tailcfg.NodeAttrOnlyTCP443) {
			return
		}
	}
}
