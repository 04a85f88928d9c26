// Wifi stands in for github.com/gokrazy/wifi: it leaves with 125 where it is
// not configured, and with 1 where there is no Wi-Fi.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"path/filepath"
	"time"
)

// doNotSupervise is the status that gokrazy does not start a program again after.
const doNotSupervise = 125

func main() {
	if err := join(); err != nil {
		log.Fatal(err)
	}
}

func join() error {
	network, err := configured("/perm/wifi.json", "/etc/wifi.json")
	if errors.Is(err, fs.ErrNotExist) {
		os.Exit(doNotSupervise)
	}
	if err != nil {
		return err
	}
	interfaces, err := filepath.Glob("/sys/class/net/*/phy80211")
	if err != nil {
		return err
	}
	if len(interfaces) == 0 {
		return errors.New("no interfaces found")
	}
	for {
		log.Printf("connecting to SSID %q...", network)
		time.Sleep(15 * time.Second)
	}
}

func configured(files ...string) (string, error) {
	var settings struct {
		SSID string `json:"ssid"`
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		if err := json.Unmarshal(content, &settings); err != nil {
			return "", fmt.Errorf("%s: %v", file, err)
		}
		return settings.SSID, nil
	}
	return "", fs.ErrNotExist
}
