// memory prints how much memory the kernel leaves, and how much it keeps for itself.
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

func main() {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		fmt.Printf("bad\t/proc/meminfo\t%v\n", err)
		return
	}
	wanted := map[string]string{"MemTotal": "memory that the kernel leaves", "MemAvailable": "memory available"}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		if title, found := wanted[name]; found {
			var kib int
			fmt.Sscan(rest, &kib)
			fmt.Printf("size\t%s\t%d\n", title, kib*1024)
		}
	}
}
