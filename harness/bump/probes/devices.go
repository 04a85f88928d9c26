// devices lists the hardware that the kernel drives, by the class in sysfs and the driver: what vanishes is a regression.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
)

// Class in sysfs -> what people call it. A name without a driver behind it (lo, ram0) is none of hardware.
var classes = map[string]string{
	"net":      "network card",
	"block":    "disk",
	"rtc":      "clock",
	"watchdog": "watchdog",
	"hwmon":    "sensor",
	"graphics": "frame buffer",
	"drm":      "display",
	"tty":      "serial port",
	"mmc_host": "card slot",
}

func driver(path string) string {
	for dir, err := filepath.EvalSymlinks(path); err == nil && dir != "/sys/devices" && dir != "/"; dir = filepath.Dir(dir) {
		if target, err := os.Readlink(filepath.Join(dir, "driver")); err == nil {
			return filepath.Base(target)
		}
	}
	return ""
}

func main() {
	counts := map[string]int{}
	for class, title := range classes {
		entries, _ := os.ReadDir("/sys/class/" + class)
		for _, entry := range entries {
			name := driver(filepath.Join("/sys/class", class, entry.Name()))
			if name == "" {
				continue
			}
			if class == "block" {
				// Partitions are no disks of their own.
				if _, err := os.Stat(filepath.Join("/sys/class/block", entry.Name(), "partition")); err == nil {
					continue
				}
			}
			counts[title+" by "+name]++
		}
	}
	for _, bus := range []string{"usb"} {
		entries, _ := os.ReadDir("/sys/bus/" + bus + "/devices")
		for _, entry := range entries {
			product, err := os.ReadFile(filepath.Join("/sys/bus", bus, "devices", entry.Name(), "idProduct"))
			if err != nil {
				continue
			}
			vendor, _ := os.ReadFile(filepath.Join("/sys/bus", bus, "devices", entry.Name(), "idVendor"))
			counts["USB device "+strings.TrimSpace(string(vendor))+":"+strings.TrimSpace(string(product))]++
		}
	}
	if current, err := os.ReadFile("/sys/class/misc/hw_random/rng_current"); err == nil {
		if name := strings.TrimSpace(string(current)); name != "" && name != "none" {
			counts["random number generator "+name]++
		}
	}
	online, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err == nil {
		counts["processors "+strings.TrimSpace(string(online))]++
	}
	names := make([]string, 0, len(counts))
	for name := range counts {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Printf("device\t%s\t%d\n", name, counts[name])
	}
}
