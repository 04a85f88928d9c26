// Hungry takes 700 MB and holds them.
package main

import (
	"fmt"
	"time"
)

const (
	megabyte = 1 << 20
	wanted   = 700
	pageSize = 4096
)

func main() {
	held := make([][]byte, 0, wanted)
	for len(held) < wanted {
		piece := make([]byte, megabyte)
		for i := 0; i < len(piece); i += pageSize {
			piece[i] = 1
		}
		held = append(held, piece)
	}
	fmt.Printf("holding %d MB\n", len(held))
	for {
		time.Sleep(time.Minute)
		held[0][0]++
	}
}
