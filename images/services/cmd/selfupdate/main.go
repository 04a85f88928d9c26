// Selfupdate asks an update server which image this device is to run, and
// updates the device to it: the steps of github.com/gokrazy/selfupdate, with
// the same client libraries.
//
// What is not whole is not written. After a try that failed it waits for the
// next check like after any other: gokrazy would start it again every second.
package main

import (
	"archive/zip"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/antihax/optional"
	"github.com/gokrazy/gokapi/gusapi"
	"github.com/gokrazy/gokrazy"
	"github.com/gokrazy/updater"
)

// parts of the archive, and where they go, in the order of gok update.
var parts = []struct{ file, endpoint string }{{"root.img", "root"}, {"boot.img", "boot"}, {"mbr.img", "mbr"}}

func main() {
	server := flag.String("gus_server", "", "base address of the update server")
	frequency := flag.Duration("check_frequency", time.Hour, "time between two checks")
	folder := flag.String("destination_dir", "/tmp/selfupdate", "where the archive is put")
	flag.Parse()

	log.SetOutput(os.Stdout)
	log.SetFlags(0)
	log.SetPrefix("selfupdate: ")
	if *server == "" {
		os.Exit(125) // do not supervise
	}
	settings := gusapi.NewConfiguration()
	settings.BasePath = strings.TrimSuffix(*server, "/") + "/api/v1"
	client := gusapi.NewAPIClient(settings)
	for {
		if err := check(context.Background(), client, *server, *folder); err != nil {
			log.Printf("nothing was switched: %v", err)
		}
		time.Sleep(*frequency)
	}
}

// check asks what is wanted, and installs it where that is something else.
func check(ctx context.Context, client *gusapi.APIClient, server, folder string) error {
	id := gokrazy.MachineID()
	_, runs, err := gokrazy.ReadSBOM()
	if err != nil {
		return err
	}
	request := gusapi.UpdateRequest{MachineId: id}
	wanted, _, err := client.UpdateApi.Update(ctx, &gusapi.UpdateApiUpdateOpts{Body: optional.NewInterface(request)})
	if err != nil {
		return fmt.Errorf("asking for updates: %w", err)
	}
	if wanted.SbomHash == runs {
		log.Printf("runs what is wanted: %s", runs)
		return nil
	}
	log.Printf("runs %s, wanted is %s", runs, wanted.SbomHash)
	attempt := gusapi.AttemptRequest{MachineId: id, SbomHash: wanted.SbomHash}
	if _, _, err := client.UpdateApi.Attempt(ctx, &gusapi.UpdateApiAttemptOpts{Body: optional.NewInterface(attempt)}); err != nil {
		return fmt.Errorf("announcing the attempt: %w", err)
	}
	file := filepath.Join(folder, "disk.gaf")
	defer os.Remove(file)
	if err := download(server, wanted.DownloadLink, file); err != nil {
		return fmt.Errorf("downloading: %w", err)
	}
	return install(ctx, file)
}

// download gets a link, which may be relative to the server's address.
func download(server, link, file string) error {
	base, err := url.Parse(server)
	if err != nil {
		return err
	}
	at, err := base.Parse(link)
	if err != nil {
		return err
	}
	answer, err := http.Get(at.String())
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", at, answer.Status)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, answer.Body); err != nil {
		return err
	}
	return out.Close()
}

// install writes an archive to the device, by its own update handlers.
func install(ctx context.Context, file string) error {
	archive, err := zip.OpenReader(file)
	if err != nil {
		return fmt.Errorf("the archive is damaged: %w", err)
	}
	defer archive.Close()
	for _, part := range parts {
		// Reading to the end compares the checksum.
		if err := read(archive, part.file, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err }); err != nil {
			return fmt.Errorf("the archive is damaged: %s: %w", part.file, err)
		}
	}
	at, err := self()
	if err != nil {
		return err
	}
	target, err := updater.NewTarget(ctx, at, http.DefaultClient)
	if err != nil {
		return err
	}
	for _, part := range parts {
		log.Printf("writing %s", part.endpoint)
		if err := read(archive, part.file, func(r io.Reader) error { return target.StreamTo(ctx, part.endpoint, r) }); err != nil {
			return err
		}
	}
	if err := target.Switch(ctx); err != nil {
		return err
	}
	log.Print("switched, rebooting")
	return target.Reboot(ctx, updater.WithAsync(true))
}

// read has a part of the archive read.
func read(archive *zip.ReadCloser, name string, by func(io.Reader) error) error {
	part, err := archive.Open(name)
	if err != nil {
		return err
	}
	defer part.Close()
	return by(part)
}

// self is the address of this device's own web interface.
func self() (string, error) {
	password, err := setting("gokr-pw.txt")
	if err != nil {
		return "", err
	}
	port, err := setting("http-port.txt")
	if err != nil {
		return "", err
	}
	at := url.URL{Scheme: "http", User: url.UserPassword("gokrazy", password), Host: "localhost:" + port, Path: "/"}
	return at.String(), nil
}

// setting reads one of gokrazy's files, of which /perm may hold another.
func setting(name string) (string, error) {
	b, err := os.ReadFile("/perm/" + name)
	if os.IsNotExist(err) {
		b, err = os.ReadFile("/etc/" + name)
	}
	return strings.TrimSpace(string(b)), err
}
