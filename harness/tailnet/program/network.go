package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"os"
	"strconv"
	"time"

	"tailscale.com/client/local"
	"tailscale.com/derp"
	"tailscale.com/derp/derphttp"
	"tailscale.com/envknob"
	"tailscale.com/ipn"
	"tailscale.com/ipn/store/mem"
	"tailscale.com/tailcfg"
	"tailscale.com/tsnet"
	"tailscale.com/tstest/integration/testcontrol"
	"tailscale.com/types/key"
)

const own = "harness"

// pause lies between two tries to ping: a node that has just joined does not know its peers yet.
const pause = 2 * time.Second

// queue is how many packets the relay keeps for a node that is slow to take them; its own 32 it loses at each burst
// for an emulated machine, and an update then takes an hour.
const queue = "2048"

// slow is how long the relay waits for such a node before it sends it away.
const slow = time.Minute

// onlyRelay has a node neither ask STUN, which nobody answers here, nor connect to the relay anew whenever it was not
// answered: that loses what is under way, twice a minute.
var onlyRelay = tailcfg.NodeCapMap{tailcfg.NodeAttrOnlyTCP443: nil}

type network struct {
	control     *testcontrol.Server
	node        *tsnet.Server
	local       *local.Client
	controlPort int
	relayPort   int
	proxyPort   int
}

func port(listener net.Listener) int { return listener.Addr().(*net.TCPAddr).Port }

func listen() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }

// begin starts control server, relay and node. base is the URL of the control server, relay the address of the
// relay, as guests reach them.
func begin(authKey, base, relay string) (*network, error) {
	envknob.SetNoLogsNoSupport()
	envknob.Setenv("TS_DEBUG_DERP_PER_CLIENT_SEND_QUEUE_DEPTH", queue)
	this := &network{}
	host, relayPort, err := net.SplitHostPort(relay)
	if err != nil {
		return nil, err
	}
	if err := this.beginRelay(host); err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(relayPort)
	if err != nil {
		return nil, err
	}
	relays := &tailcfg.DERPMap{Regions: map[int]*tailcfg.DERPRegion{1: {
		RegionID: 1, RegionCode: "test", RegionName: "test",
		Nodes: []*tailcfg.DERPNode{{
			Name: "1", RegionID: 1, HostName: host, IPv4: host, IPv6: "none", DERPPort: number, STUNPort: -1,
			InsecureForTests: true,
		}},
	}}}
	this.control = &testcontrol.Server{
		Logf: log.Printf, DERPMap: relays, ExplicitBaseURL: base, RequireAuthKey: authKey,
	}
	listener, err := listen()
	if err != nil {
		return nil, err
	}
	this.controlPort = port(listener)
	go func() { log.Fatal(http.Serve(listener, this.control)) }()
	this.node = &tsnet.Server{
		Hostname: own, AuthKey: authKey, Store: new(mem.Store), Ephemeral: true, Logf: log.Printf, UserLogf: log.Printf,
		ControlURL: fmt.Sprintf("http://127.0.0.1:%d", this.controlPort),
	}
	if this.node.Dir, err = os.MkdirTemp(".", "node-"); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := this.node.Up(ctx); err != nil {
		return nil, err
	}
	if this.local, err = this.node.LocalClient(); err != nil {
		return nil, err
	}
	watcher, err := this.local.WatchIPNBus(context.Background(), ipn.NotifyInitialNetMap|ipn.NotifyNoPrivateKeys)
	if err != nil {
		return nil, err
	}
	go this.tellNodes(watcher)
	return this, this.beginProxy()
}

// tellNodes tells each node that is new to the own one to use the relay alone.
func (this *network) tellNodes(watcher *local.IPNBusWatcher) {
	told := map[key.NodePublic]bool{}
	for {
		notice, err := watcher.Next()
		if err != nil {
			log.Print(err)
			return
		}
		if notice.NetMap == nil {
			continue
		}
		for _, node := range this.control.AllNodes() {
			if !told[node.Key] {
				told[node.Key] = true
				this.control.SetNodeCapMap(node.Key, onlyRelay)
			}
		}
	}
}

// beginProxy starts a proxy for HTTP by which programs of this host ask nodes by their names, as the own node would.
// Whoever is no node it does not ask: nothing of this process leaves the host.
func (this *network) beginProxy() error {
	listener, err := listen()
	if err != nil {
		return err
	}
	this.proxyPort = port(listener)
	proxy := &httputil.ReverseProxy{
		// The request names the whole address already, as those to a proxy do.
		Rewrite: func(*httputil.ProxyRequest) {},
		Transport: &http.Transport{DialContext: func(ctx context.Context, _, address string) (net.Conn, error) {
			name, _, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			if _, err := this.address(name); err != nil {
				return nil, err
			}
			// The own node finds the name, as the names of a tailnet are found.
			return this.node.Dial(ctx, "tcp", address)
		}},
		ErrorHandler: func(writer http.ResponseWriter, _ *http.Request, err error) {
			http.Error(writer, err.Error(), http.StatusBadGateway)
		},
	}
	go func() { log.Fatal(http.Serve(listener, proxy)) }()
	return nil
}

// beginRelay starts the relay, and a proxy through which this process reaches it under the address that guests use.
// Whatever else is asked of the proxy it refuses: nothing of this process leaves the host.
func (this *network) beginRelay(relay string) error {
	secret, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "relay"},
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, &secret.PublicKey, secret)
	if err != nil {
		return err
	}
	listener, err := listen()
	if err != nil {
		return err
	}
	this.relayPort = port(listener)
	mux := http.NewServeMux()
	relayServer := derp.NewServer(key.NewNode(), log.Printf)
	relayServer.SetTCPWriteTimeout(slow)
	mux.Handle("/derp", derphttp.Handler(relayServer))
	mux.HandleFunc("/derp/probe", derphttp.ProbeHandler)
	mux.HandleFunc("/derp/latency-check", derphttp.ProbeHandler)
	mux.HandleFunc("/generate_204", derphttp.ServeNoContent)
	server := &http.Server{Handler: mux, TLSConfig: &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{certificate}, PrivateKey: secret}},
	}, TLSNextProto: map[string]func(*http.Server, *tls.Conn, http.Handler){}}
	go func() { log.Fatal(server.ServeTLS(listener, "", "")) }()

	proxy, err := listen()
	if err != nil {
		return err
	}
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "https_proxy", "NO_PROXY", "no_proxy", "ALL_PROXY"} {
		_ = os.Unsetenv(name)
	}
	if err := os.Setenv("HTTPS_PROXY", "http://"+proxy.Addr().String()); err != nil {
		return err
	}
	handler := http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		// The client of a relay asks a proxy for port 443, whatever port the relay has (derphttp, dialNodeUsingProxy).
		if host, _, _ := net.SplitHostPort(request.Host); request.Method != http.MethodConnect || host != relay {
			http.Error(writer, "only the relay is reached from here", http.StatusForbidden)
			return
		}
		there, err := net.Dial("tcp", listener.Addr().String())
		if err != nil {
			http.Error(writer, err.Error(), http.StatusBadGateway)
			return
		}
		writer.WriteHeader(http.StatusOK)
		here, buffered, err := http.NewResponseController(writer).Hijack()
		if err != nil {
			_ = there.Close()
			return
		}
		join(here, buffered, there)
	})
	go func() { log.Fatal(http.Serve(proxy, handler)) }()
	return nil
}

// join carries what each of two connections says to the other, until one of them ends.
func join(here net.Conn, from io.Reader, there net.Conn) {
	done := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(there, from); done <- struct{}{} }()
	go func() { _, _ = io.Copy(here, there); done <- struct{}{} }()
	<-done
	_ = here.Close()
	_ = there.Close()
}

func (this *network) nodes() []Node {
	nodes := []Node{}
	for _, node := range this.control.AllNodes() {
		address := ""
		if len(node.Addresses) > 0 {
			address = node.Addresses[0].Addr().String()
		}
		nodes = append(nodes, Node{node.Hostinfo.Hostname(), string(node.StableID), node.Key.String(), address})
	}
	return nodes
}

func (this *network) address(name string) (netip.Addr, error) {
	for _, node := range this.nodes() {
		if node.Name == name {
			return netip.ParseAddr(node.Address)
		}
	}
	return netip.Addr{}, fmt.Errorf("no node of the tailnet is called %q", name)
}

// wait returns as soon as the node of this process has heard of one with this name.
func (this *network) wait(ctx context.Context, name string) error {
	watcher, err := this.local.WatchIPNBus(ctx, ipn.NotifyInitialNetMap|ipn.NotifyNoPrivateKeys)
	if err != nil {
		return err
	}
	defer watcher.Close()
	for {
		notice, err := watcher.Next()
		if err != nil {
			return fmt.Errorf("no node called %q has joined", name)
		}
		if notice.NetMap == nil {
			continue
		}
		for _, peer := range notice.NetMap.Peers {
			if peer.Hostinfo().Hostname() == name {
				// It shows its node key from now on, as real control servers accept it.
				this.control.RequireAuthKey = ""
				return nil
			}
		}
	}
}

// ping has the node's own kernel answer, and tries until it does: seconds of the ping that came back.
func (this *network) ping(ctx context.Context, name string) (float64, error) {
	address, err := this.address(name)
	if err != nil {
		return 0, err
	}
	for {
		once, cancel := context.WithTimeout(ctx, pause)
		result, err := this.local.Ping(once, address, tailcfg.PingICMP)
		if err == nil && result.Err == "" {
			cancel()
			return result.LatencySeconds, nil
		}
		<-once.Done()
		cancel()
		if ctx.Err() != nil {
			return 0, fmt.Errorf("%s (%s) answers no ping", name, address)
		}
	}
}

// forward listens on a port of this host, each connection to which ends at a port of the node.
func (this *network) forward(name string, number int) (int, error) {
	address, err := this.address(name)
	if err != nil {
		return 0, err
	}
	listener, err := listen()
	if err != nil {
		return 0, err
	}
	target := netip.AddrPortFrom(address, uint16(number)).String()
	go func() {
		for {
			here, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				defer cancel()
				there, err := this.node.Dial(ctx, "tcp", target)
				if err != nil {
					_ = here.Close()
					return
				}
				join(here, here, there)
			}()
		}
	}()
	return port(listener), nil
}

func (this *network) obey(ctx context.Context, order Order) (Answer, error) {
	switch order.Do {
	case "nodes":
		return Answer{Nodes: this.nodes()}, nil
	case "wait":
		return Answer{Nodes: this.nodes()}, this.wait(ctx, order.Name)
	case "require":
		this.control.RequireAuthKey = order.Key
		return Answer{}, nil
	case "ping":
		seconds, err := this.ping(ctx, order.Name)
		return Answer{Seconds: seconds}, err
	case "forward":
		number, err := this.forward(order.Name, order.Port)
		return Answer{Port: number}, err
	}
	return Answer{}, fmt.Errorf("unknown order %q", order.Do)
}
