// Wifi-init waits for a network that never comes.
package main

import (
	"fmt"
	"time"
)

func main() {
	for {
		fmt.Println("waiting")
		time.Sleep(time.Minute)
	}
}
