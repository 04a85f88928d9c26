// tailnet is a whole tailnet in one process: a control server, a relay, and a node of the harness's own.
//
// "tailnet serve" takes its auth key and then commands as JSON lines on its standard input, one answer a line, and
// ends with that input. "tailnet forward ADDRESS" carries one connection from its standard input to the address and
// back: QEMU starts it for each connection of a guest to one of the two ports that the guest may reach.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"
)

// Order is one line from the harness.
type Order struct {
	Do    string  `json:"do"`
	Name  string  `json:"name"`
	Key   string  `json:"key"`
	Port  int     `json:"port"`
	Limit float64 `json:"limit"`
}

// Node is what the control server knows of a node.
type Node struct {
	Name    string `json:"name"`
	ID      string `json:"id"`
	Key     string `json:"key"`
	Address string `json:"address"`
}

// Answer is one line to the harness: Error is empty where the order was carried out.
type Answer struct {
	Error   string  `json:"error"`
	Control int     `json:"control,omitempty"`
	Relay   int     `json:"relay,omitempty"`
	Proxy   int     `json:"proxy,omitempty"`
	Port    int     `json:"port,omitempty"`
	Nodes   []Node  `json:"nodes,omitempty"`
	Seconds float64 `json:"seconds,omitempty"`
}

func forward(address string) error {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	done := make(chan struct{}, 2)
	go func() { _, _ = io.Copy(connection, os.Stdin); done <- struct{}{} }()
	go func() { _, _ = io.Copy(os.Stdout, connection); done <- struct{}{} }()
	// When one side is through, the other has nobody to speak to.
	<-done
	return nil
}

func serve() error {
	from := bufio.NewScanner(os.Stdin)
	if !from.Scan() {
		return fmt.Errorf("no settings on the standard input")
	}
	var settings struct {
		AuthKey string `json:"auth_key"`
		Base    string `json:"base"`
		Relay   string `json:"relay"`
	}
	if err := json.Unmarshal(from.Bytes(), &settings); err != nil {
		return err
	}
	to := json.NewEncoder(os.Stdout)
	net, err := begin(settings.AuthKey, settings.Base, settings.Relay)
	if err != nil {
		return err
	}
	if err := to.Encode(Answer{Control: net.controlPort, Relay: net.relayPort, Proxy: net.proxyPort}); err != nil {
		return err
	}
	for from.Scan() {
		var order Order
		if err := json.Unmarshal(from.Bytes(), &order); err != nil {
			return err
		}
		limit := time.Duration(order.Limit * float64(time.Second))
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		answer, err := net.obey(ctx, order)
		cancel()
		if err != nil {
			answer.Error = err.Error()
		}
		if err := to.Encode(answer); err != nil {
			return err
		}
	}
	return from.Err()
}

func main() {
	var err error
	if len(os.Args) == 3 && os.Args[1] == "forward" {
		err = forward(os.Args[2])
	} else if len(os.Args) == 2 && os.Args[1] == "serve" {
		err = serve()
	} else {
		err = fmt.Errorf("usage: tailnet serve | tailnet forward ADDRESS")
	}
	if err != nil {
		log.Fatal(err)
	}
}
