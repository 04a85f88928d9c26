// Stock-update updates a gokrazy device with gokrazy's own client library, in
// the order of gok update: root, boot, MBR, switch, reboot. It runs on the
// host, and reads what to do from standard input, as JSON.
package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"log"
	"net/http"
	"net/url"
	"os"

	"github.com/gokrazy/updater"
)

// order is what is to be done. No password is ever in the arguments.
type order struct {
	URL      string // of the device
	Password string
	Root     string // the files to send
	Boot     string
	MBR      string
	Kexec    bool
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("stock-update: ")
	var o order
	if err := json.NewDecoder(os.Stdin).Decode(&o); err != nil {
		log.Fatalf("standard input holds no order: %v", err)
	}
	if err := update(context.Background(), o); err != nil {
		log.Fatal(err)
	}
}

func update(ctx context.Context, o order) error {
	at, err := url.Parse(o.URL)
	if err != nil {
		return err
	}
	at.User = url.UserPassword("gokrazy", o.Password)
	at.Path = "/"
	// Forwarded from a device under test, with a certificate for another name.
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	target, err := updater.NewTarget(ctx, at.String(), &http.Client{Transport: transport})
	if err != nil {
		return err
	}
	for _, part := range []struct{ name, file string }{
		{"root", o.Root}, {"boot", o.Boot}, {"mbr", o.MBR},
	} {
		if err := send(ctx, target, part.name, part.file); err != nil {
			return err
		}
		log.Printf("sent %s", part.name)
	}
	if err := target.Switch(ctx); err != nil {
		return err
	}
	log.Print("switched")
	return target.Reboot(ctx, updater.WithKexec(o.Kexec))
}

func send(ctx context.Context, target *updater.Target, name, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return target.StreamTo(ctx, name, f)
}
