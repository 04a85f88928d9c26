// config prints the options that the kernel was built with, where it says so (CONFIG_IKCONFIG_PROC).
package main

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"os"
	"strings"
)

func main() {
	file, err := os.Open("/proc/config.gz")
	if err != nil {
		return
	}
	text, err := gzip.NewReader(file)
	if err != nil {
		fmt.Printf("bad\t/proc/config.gz\tit is no gzip file: %v\n", err)
		return
	}
	lines := bufio.NewScanner(text)
	for lines.Scan() {
		name, value, found := strings.Cut(lines.Text(), "=")
		if found && strings.HasPrefix(name, "CONFIG_") {
			fmt.Printf("option\t%s\t%s\n", name, value)
		}
	}
	if err := lines.Err(); err != nil {
		fmt.Printf("bad\t/proc/config.gz\tit cannot be read: %v\n", err)
	}
}
